"""Patient tokens: HMAC-SHA256 of a patient's identifier under its customer's key.

The customer's key is itself HMAC-SHA256 of the customer's id under the token key, so
that one patient has unrelated tokens with two customers. A token is derived from the
identifier and stays in the restricted schema (HP-3, HP-4). The digest is made in SQL,
where the rows are: HMAC(key, message) = H(outer pad || H(inner pad || message)).
"""

from orchestration.keys import key_id

_BLOCK = 64  # bytes of a SHA-256 block
_INNER, _OUTER = "36", "5c"


def token_key_id(token_key: str) -> str:
    """Eight hex digits that tell keys apart without telling the key."""
    return key_id("token", token_key)


def inner_pad(key: str) -> str:
    """SQL of the 64 bytes that go before a message; `key` is SQL of a blob."""
    return _pad(key, _INNER)


def outer_pad(key: str) -> str:
    """SQL of the 64 bytes that go before the inner digest; `key` is SQL of a blob."""
    return _pad(key, _OUTER)


def hmac_sha256(inner: str, outer: str, message: str) -> str:
    """SQL of the digest in hex; both pads and the message are SQL of blobs."""
    return f"sha256({outer} || unhex(sha256({inner} || {message})))"


def customer_keys(customers: str) -> str:
    """SQL of one row per customer: customer_id, inner_pad, outer_pad of its key.

    `customers` is SQL of a relation with customer_id; the token key is the query's
    only parameter, so that it is part of no statement's text.
    """
    own_key = "unhex(" + hmac_sha256("inside", "outside", "encode(customer_id)") + ")"
    return f"""
        with token_key as (select encode(cast(? as varchar)) as secret),
        token_pads as (
            select
                {inner_pad("secret")} as inside, {outer_pad("secret")} as outside
            from token_key
        ),
        keyed as (
            select customer_id, {own_key} as customer_key
            from {customers} cross join token_pads
        )
        select
            customer_id,
            {inner_pad("customer_key")} as inner_pad,
            {outer_pad("customer_key")} as outer_pad
        from keyed"""


def patient_token(patient_id: str = "patient_id") -> str:
    """SQL of a token beside the pads of `customer_keys`; `patient_id` is SQL text."""
    return hmac_sha256("inner_pad", "outer_pad", f"encode({patient_id})")


def _pad(key: str, byte: str) -> str:
    short = (
        f"case when octet_length({key}) > {_BLOCK} "
        f"then unhex(sha256({key})) else {key} end"
    )
    filled = f"({short} || unhex(repeat('00', {_BLOCK} - octet_length({short}))))"
    mask = f"unhex(repeat('{byte}', {_BLOCK}))"
    return f"cast(xor(cast({filled} as bit), cast({mask} as bit)) as blob)"
