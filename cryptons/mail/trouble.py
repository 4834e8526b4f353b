"""Say in a sentence what is wrong with the mail server, and what to do."""

import smtplib
import socket
import ssl

from cryptons.mail_address import MailServer


def trouble_words(error: OSError, server: MailServer) -> str:
    at = f"{server.host}:{server.port}"
    match error:
        case smtplib.SMTPAuthenticationError():
            return f"{at} refuses the login. Check the user and the password in EMAIL_URL, and that they are percent-encoded."
        case smtplib.SMTPSenderRefused():
            return f"{at} refuses the sender {error.sender}. Set MAIL_FROM to an address that this server may send for."
        case smtplib.SMTPRecipientsRefused():
            return (
                f"{at} refuses the recipient {', '.join(error.recipients)} ({_answer(error)}). Check the address, or log in by EMAIL_URL."
            )
        case smtplib.SMTPNotSupportedError() if "AUTH" in str(error):
            return f"{at} offers no login here. Use smtp+tls:// or smtps:// in EMAIL_URL, or leave out user and password."
        case smtplib.SMTPNotSupportedError():
            return f"{at} offers no TLS. Use smtp:// in EMAIL_URL, or smtps:// with the port of its TLS, usually 465."
        case smtplib.SMTPServerDisconnected():
            return f"{at} closed the connection. Check port and scheme in EMAIL_URL: smtps:// is usually 465, smtp+tls:// 587, smtp:// 25."
        case smtplib.SMTPResponseException():
            return f"{at} refuses the mail: {error.smtp_code} {_plain(error.smtp_error)}. Ask who runs the server."
        case ssl.SSLCertVerificationError():
            return f"The certificate of {at} is not valid: {error.verify_message}. Use the host name that it was issued for in EMAIL_URL."
        case ssl.SSLError():
            return f"{at} does not speak TLS in the way that EMAIL_URL says. smtps:// is usually port 465, smtp+tls:// port 587."
        case socket.gaierror():
            return f"There is no host {server.host}. Check the name in EMAIL_URL, and this machine's DNS."
        case ConnectionRefusedError():
            return f"{at} refuses the connection. Check the port in EMAIL_URL, and that the mail server runs."
        case TimeoutError():
            return f"{at} does not answer. Check host and port in EMAIL_URL; many providers block port 25, so try 587 or 465."
        case _:
            return f"{at} cannot be used ({error}). Check EMAIL_URL."


def _answer(error: smtplib.SMTPRecipientsRefused) -> str:
    code, text = next(iter(error.recipients.values()))
    return f"{code} {_plain(text)}"


def _plain(text: bytes | str) -> str:
    return (text.decode(errors="replace") if isinstance(text, bytes) else text).strip()
