"""What a reference in a FHIR resource refers to, as SQL."""


def referred(column: str, resource_type: str, value: str = "") -> str:
    """SQL of what a reference refers to: an id, or the value of an identifier.

    References are relative (`Organization/x`), absolute, with a version, `urn:uuid:x`,
    conditional (`Organization?identifier=system|x`) or only name an identifier, whose
    column is `value` (`{column}_value` unless given).
    """
    value = value or f"{column}_value"
    query = f"(case when contains({column}, '%') then url_decode({column}) "
    query += f"else {column} end)"
    token = f"string_split(string_split({query}, 'identifier=')[2], '&')[1]"
    relative = f"string_split({column}, '{resource_type}/')[-1]"
    # Functions of text, for regular expressions take ten times as long; no split_part,
    # for it is a macro that repeats what it is given.
    bare = f"string_split(string_split({relative}, '/')[1], '?')[1]"
    return f"""case
        when {column} is null then nullif({value}, '')
        when {column} like '{resource_type}/%' or {column} like '%/{resource_type}/%'
            then nullif(string_split({bare}, '#')[1], '')
        when {column} like '{resource_type}?%' or {column} like '%/{resource_type}?%'
            then nullif(string_split({token}, '|')[-1], '')
        when {column} like 'urn:uuid:%' or {column} like 'urn:oid:%'
            then nullif(string_split({column}, ':')[3], '')
    end"""
