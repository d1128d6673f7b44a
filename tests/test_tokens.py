"""Tokens against the vectors of RFC 4231 and against Python's own hmac (HP-3)."""

import hashlib
import hmac

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestration import tokens

# RFC 4231, section 4: key, message, HMAC-SHA-256. Case 5 is truncated to 128 bits.
RFC_4231 = {
    1: (
        b"\x0b" * 20,
        b"Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ),
    2: (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    3: (
        b"\xaa" * 20,
        b"\xdd" * 50,
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
    ),
    4: (
        bytes(range(1, 26)),
        b"\xcd" * 50,
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
    ),
    5: (b"\x0c" * 20, b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
    6: (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    7: (
        b"\xaa" * 131,
        b"This is a test using a larger than block-size key and a larger than "
        b"block-size data. The key needs to be hashed before being used by the "
        b"HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
}
CONNECTION = duckdb.connect()


def sql_hmac(key: bytes, message: bytes) -> str:
    query = f"""
        with sent as (select cast(? as blob) as key, cast(? as blob) as message),
        padded as (
            select message, {tokens.inner_pad("key")} as i,
                {tokens.outer_pad("key")} as o
            from sent
        )
        select {tokens.hmac_sha256("i", "o", "message")} from padded"""
    return CONNECTION.execute(query, [key, message]).fetchone()[0]


def python_token(token_key: str, customer_id: str, patient_id: str) -> str:
    own = hmac.new(token_key.encode(), customer_id.encode(), hashlib.sha256).digest()
    return hmac.new(own, patient_id.encode(), hashlib.sha256).hexdigest()


def sql_token(token_key: str, customer_id: str, patient_id: str) -> str:
    keys = tokens.customer_keys("(select cast(? as varchar) as customer_id)")
    # The parameter of the token key stands first in the text, the customer's second.
    query = f"select {tokens.patient_token('cast(? as varchar)')} from ({keys})"
    return CONNECTION.execute(query, [patient_id, token_key, customer_id]).fetchone()[0]


@pytest.mark.parametrize("case", RFC_4231)
def test_vectors_of_rfc_4231(case):
    key, message, digest = RFC_4231[case]
    assert sql_hmac(key, message)[: len(digest)] == digest


@settings(max_examples=100, deadline=None)
@given(key=st.binary(max_size=200), message=st.binary(max_size=300))
@example(key=b"", message=b"")
@example(key=b"\x00" * 64, message=b"\x00")
@example(key=b"k" * 65, message=b"")
def test_any_bytes_as_pythons_hmac(key, message):
    assert sql_hmac(key, message) == hmac.new(key, message, "sha256").hexdigest()


@settings(max_examples=100, deadline=None)
@given(
    token_key=st.text(min_size=1, max_size=90),
    customer_id=st.text(min_size=1, max_size=90),
    patient_id=st.text(min_size=1, max_size=90),
)
@example(token_key="k" * 64, customer_id="sankt-jürgen", patient_id="Ünï-患者-🏥 7")
def test_tokens_as_pythons_hmac(token_key, customer_id, patient_id):
    expected = python_token(token_key, customer_id, patient_id)
    assert sql_token(token_key, customer_id, patient_id) == expected


def test_a_patient_id_is_taken_as_sent_and_differs_by_customer():
    sent = {
        sql_token("key", customer, patient)
        for customer in ("a", "b")
        for patient in ("7", " 7", "7 ", "07")
    }
    assert len(sent) == 8


def test_key_id_tells_keys_apart_and_not_the_key():
    expected = hashlib.sha256(b"token-key-idcorrect horse").hexdigest()[:8]
    assert tokens.token_key_id("correct horse") == expected
    assert tokens.token_key_id("battery staple") != expected
