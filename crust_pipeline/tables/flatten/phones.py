"""Phone numbers in international form."""

import phonenumbers


def e164(text: str) -> str | None:
    """Return a phone number in E.164 form, or None when the country or the number cannot be told.

    Vendors deliver numbers with a country code, after `+` or `00`. Without one nothing is guessed.
    """
    number = text.strip()
    if number.startswith("00"):
        number = f"+{number.removeprefix('00')}"
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return None
    # Not `is_possible_number`: it takes numbers that can only be dialled from next door.
    possible = phonenumbers.is_possible_number_with_reason(parsed)
    if possible != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
