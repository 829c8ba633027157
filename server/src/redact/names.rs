//! Which names mean a secret.

/// How such a name ends, written in one way: small letters and digits only.
const ENDINGS: [&str; 18] = [
    "accesskey",
    "apikey",
    "apikeys",
    "authorization",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "secretkey",
    "secrets",
    "signingkey",
    "token",
    "customheaders",
];

/// Such names in full: as an ending they would be too common. `sealed` is what a secret of an
/// endpoint is called in `control`.
const WHOLE: [&str; 3] = ["auth", "sealed", "pwd"];

/// Whether what is called `name` is a secret: a header, or a field of a JSON object. Spelling does
/// not matter: `X-Api-Key`, `xApiKey` and `x_api_key` are one name.
pub(super) fn is_secret(name: &str) -> bool {
    let name = plain(name);
    WHOLE.contains(&name.as_str()) || ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Whether what is called `name` is a list of secrets, each with its labels.
pub(super) fn is_list(name: &str) -> bool {
    plain(name) == "secrets"
}

fn plain(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether a field in a list of secrets tells one from others and does not give it away: a signing
/// key's id is shown with the attempts that it signed.
pub(super) fn is_label(name: &str) -> bool {
    matches!(name, "id" | "until" | "algorithm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_telling_names() {
        for secret in [
            "Authorization",
            "proxy-authorization",
            "X-Api-Key",
            "apiKey",
            "client_secret",
            "SECRETS",
            "Set-Cookie",
            "access_token",
            "sealed",
            "custom_headers",
            "db.password",
        ] {
            assert!(is_secret(secret), "{secret}");
        }
        for open in [
            "token_count",
            "secretary",
            "idempotency-key",
            "unsealed",
            "author",
            "key",
            "webhook-id",
        ] {
            assert!(!is_secret(open), "{open}");
        }
    }
}
