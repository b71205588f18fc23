//! Who may use the routes.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use subtle::{Choice, ConstantTimeEq as _};
use thiserror::Error;

use super::problem::Problem;

/// Who may use the routes. There is no default: that a router is open to all has to be said.
#[derive(Clone)]
pub struct Access(Rule);

#[derive(Clone)]
enum Rule {
    Open,
    Bearer(Arc<[Token]>),
    Custom(Arc<Authoriser>),
}

type Authoriser = dyn Fn(Parts) -> Deciding + Send + Sync;
type Deciding = Pin<Box<dyn Future<Output = Permission> + Send>>;

/// What an authoriser of your own says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// It may pass.
    Granted,
    /// Nobody knows who asks: answered with 401.
    Unauthenticated,
    /// Whoever asks may not: answered with 403.
    Denied,
}

/// A bearer token: whoever shows it may use the routes. Nothing shows its text.
#[derive(Clone)]
pub struct Token(Arc<str>);

/// Text that is of no use as a token. It does not show the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// It can be guessed.
    #[error(
        "the token has {0} characters; it must have at least {LEAST}, as `openssl rand -hex 16` makes them"
    )]
    Short(usize),
    /// No header can carry it.
    #[error("the token may have only letters, digits and - . _ ~ + / =")]
    Characters,
}

/// Characters that a token has at least.
const LEAST: usize = 16;

impl Token {
    /// A token of this text.
    ///
    /// # Errors
    ///
    /// When it is so short that it can be guessed, or has characters that RFC 6750 does not allow.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if !text.bytes().all(fits) {
            return Err(TokenError::Characters);
        }
        if text.len() < LEAST {
            return Err(TokenError::Short(text.len()));
        }
        Ok(Self(Arc::from(text)))
    }

    /// In a time that tells no more than the length.
    fn is(&self, shown: &[u8]) -> Choice {
        self.0.as_bytes().ct_eq(shown)
    }
}

impl Access {
    /// Everybody may. For a router behind something that asks who is there, or for nobody but this machine.
    pub fn open() -> Self {
        Self(Rule::Open)
    }

    /// Whoever shows one of these tokens, as `Authorization: Bearer TOKEN`. While a token is replaced there are two; with none,
    /// nobody may.
    pub fn bearer(tokens: impl IntoIterator<Item = Token>) -> Self {
        Self(Rule::Bearer(tokens.into_iter().collect()))
    }

    /// Whom this function lets pass. It gets the request without its body.
    pub fn custom<F>(authorise: impl Fn(Parts) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Permission> + Send + 'static,
    {
        Self(Rule::Custom(Arc::new(move |parts| Box::pin(authorise(parts)))))
    }

    /// Whether a bearer token is what lets pass.
    pub(super) fn is_bearer(&self) -> bool {
        matches!(self.0, Rule::Bearer(_))
    }

    /// Whether some are let pass and others are not.
    pub(super) fn asks(&self) -> bool {
        !matches!(self.0, Rule::Open)
    }
}

/// Lets a request pass, or answers it.
pub(super) async fn guard(State(access): State<Access>, request: Request, next: Next) -> Response {
    let (permission, shown) = match &access.0 {
        Rule::Open => (Permission::Granted, false),
        Rule::Bearer(tokens) => {
            let shown = bearer(request.headers());
            let known = shown.is_some_and(|shown| knows(tokens, shown));
            (if known { Permission::Granted } else { Permission::Unauthenticated }, shown.is_some())
        }
        Rule::Custom(authorise) => {
            let (parts, body) = request.into_parts();
            let permission = authorise(parts.clone()).await;
            return match permission {
                Permission::Granted => next.run(Request::from_parts(parts, body)).await,
                Permission::Unauthenticated => Problem::unauthenticated(false).into_response(),
                Permission::Denied => Problem::denied().into_response(),
            };
        }
    };
    match permission {
        Permission::Granted => next.run(request).await,
        Permission::Unauthenticated | Permission::Denied => Problem::unauthenticated(shown).into_response(),
    }
}

/// All of them are looked at, whichever fits: how long it takes tells nothing.
fn knows(tokens: &[Token], shown: &[u8]) -> bool {
    tokens.iter().fold(Choice::from(0), |known, token| known | token.is(shown)).into()
}

/// The token that a request shows, if it shows exactly one.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (Some(one), None) = (all.next(), all.next()) else { return None };
    let (scheme, token) = one.as_bytes().split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| token.trim_ascii())
}

const SCHEME: &[u8] = b"Bearer ";

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Rule::Open => f.write_str("Access::open"),
            Rule::Bearer(tokens) => write!(f, "Access::bearer, {} tokens", tokens.len()),
            Rule::Custom(_) => f.write_str("Access::custom"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "0123456789abcdef";

    #[test]
    fn a_token_that_can_be_guessed_or_not_be_sent_is_refused_and_not_shown() {
        assert_eq!(Token::new("").unwrap_err(), TokenError::Short(0));
        assert_eq!(Token::new("secret").unwrap_err(), TokenError::Short(6));
        for text in ["0123456789 abcdef", "0123456789abcdef\n", "0123456789äbcdef", "0123456789\"abcde"] {
            assert_eq!(Token::new(text).unwrap_err(), TokenError::Characters, "{text}");
        }
        assert!(!TokenError::Short(6).to_string().contains("secret"));
    }

    #[test]
    fn nothing_shows_a_token() {
        let token = Token::new(LONG).unwrap();
        let shown = format!("{token:?} {:?}", Access::bearer([token.clone()]));
        assert!(!shown.contains("0123"), "{shown}");
    }

    #[test]
    fn any_of_the_tokens_is_known_and_nothing_like_it() {
        let tokens = [Token::new(LONG).unwrap(), Token::new("fedcba9876543210").unwrap()];
        assert!(knows(&tokens, LONG.as_bytes()) && knows(&tokens, b"fedcba9876543210"));
        for shown in ["", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF"] {
            assert!(!knows(&tokens, shown.as_bytes()), "{shown}");
        }
        assert!(!knows(&[], LONG.as_bytes()));
    }

    #[test]
    fn one_header_shows_a_token_and_two_show_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer(&headers), None);
        for (text, token) in
            [("Bearer abc", Some(&b"abc"[..])), ("bearer  abc", Some(b"abc")), ("Basic abc", None)]
        {
            headers.insert(AUTHORIZATION, text.parse().unwrap());
            assert_eq!(bearer(&headers), token, "{text}");
        }
        headers.insert(AUTHORIZATION, "Bearer abc".parse().unwrap());
        headers.append(AUTHORIZATION, "Bearer abc".parse().unwrap());
        assert_eq!(bearer(&headers), None);
    }
}
