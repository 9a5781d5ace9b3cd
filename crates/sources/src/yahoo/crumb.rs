//! The cookie and the crumb: what Yahoo wants to see before it quotes.

use std::fmt;

use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE};
use scraper::{Html, Selector};
use url::Url;

use super::client::Client;
use crate::failure::Failure;
use crate::http::{Answer, host_of};

/// A cookie and the crumb that belongs to it. Good for about a year.
pub(super) struct Pass {
    jar: Jar,
    crumb: String,
}

impl Pass {
    pub(super) fn crumb(&self) -> &str {
        &self.crumb
    }

    pub(super) fn cookies(&self) -> String {
        self.jar.header()
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pass(***)")
    }
}

/// Redirects followed on the way to consent.
const MOST_REDIRECTS: usize = 8;

/// Fetches a pass: the cookie from its page; where that gives none, or none that is good for a crumb, through consent.
pub(super) async fn get(client: &Client) -> Result<Pass, Failure> {
    let mut jar = Jar::default();
    match client.get(client.settings().cookie.clone(), &[]).await {
        // It sets its cookie on a page that is not there.
        Ok(answer) => jar.take(&answer.headers),
        Err(failure @ (Failure::Limited { .. } | Failure::Simulated { .. })) => return Err(failure),
        Err(_) => {}
    }
    if !jar.is_empty() {
        match crumb(client, &jar).await {
            Ok(crumb) => return Ok(Pass { jar, crumb }),
            Err(failure @ (Failure::Limited { .. } | Failure::Simulated { .. })) => return Err(failure),
            Err(_) => {}
        }
    }
    consent(client, &mut jar).await?;
    let crumb = crumb(client, &jar).await?;
    Ok(Pass { jar, crumb })
}

async fn crumb(client: &Client, jar: &Jar) -> Result<String, Failure> {
    let url = client.query_url("v1/test/getcrumb")?;
    let answer = client.with_failover(client.get(url, &[("cookie", &jar.header())])).await?;
    if answer.status != 200 {
        return Err(answer.failure());
    }
    match read_crumb(&answer.body) {
        Some(crumb) => Ok(crumb.to_owned()),
        None => Err(Failure::Malformed { host: answer.host, reason: "no crumb was given".to_owned() }),
    }
}

/// Eleven characters today; anything short without spaces and markup will do.
fn read_crumb(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && !b"<>{}\"".contains(&b));
    fits.then_some(text)
}

/// Goes to the site as a browser would, agrees where it is asked to, and keeps the cookies.
async fn consent(client: &Client, jar: &mut Jar) -> Result<(), Failure> {
    let mut url = client.settings().site.clone();
    let mut form: Option<String> = None;
    let mut has_agreed = false;
    for _ in 0..=MOST_REDIRECTS {
        let cookies = jar.header();
        let headers = [("cookie", cookies.as_str())];
        let headers = if jar.is_empty() { &headers[..0] } else { &headers[..] };
        let answer = match form.take() {
            Some(form) => client.post_form(url.clone(), form, headers).await?,
            None => client.get(url.clone(), headers).await?,
        };
        jar.take(&answer.headers);
        if (300..400).contains(&answer.status) {
            url = next(client, &url, &answer)?;
        } else if let Some(asked) = (!has_agreed).then(|| read_form(&answer.body)).flatten() {
            has_agreed = true;
            form = Some(asked);
        } else if jar.is_empty() {
            return Err(Failure::Malformed { host: answer.host, reason: "no cookie was given".to_owned() });
        } else {
            return Ok(());
        }
    }
    let reason = format!("more than {MOST_REDIRECTS} redirects on the way to consent");
    Err(Failure::Malformed { host: host_of(&url), reason })
}

/// Where a redirect leads. Cookies go with it: nowhere but to Yahoo itself, or to the host it was asked on.
fn next(client: &Client, from: &Url, answer: &Answer) -> Result<Url, Failure> {
    let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let url = location.and_then(|location| from.join(location).ok()).ok_or_else(|| answer.malformed("no redirect"))?;
    let at_home = host_of(&url) == host_of(&client.settings().site) && url.scheme() == client.settings().site.scheme();
    let at_yahoo = url.scheme() == "https" && url.host_str().is_some_and(|host| host.ends_with(".yahoo.com"));
    if at_home || at_yahoo {
        Ok(url)
    } else {
        Err(Failure::Malformed { host: answer.host.clone(), reason: format!("a redirect to {}", host_of(&url)) })
    }
}

/// The hidden fields of the form of consent, and the word that agrees; `None` when the page has no such form.
fn read_form(body: &[u8]) -> Option<String> {
    let page = Html::parse_document(&String::from_utf8_lossy(body));
    let inputs = Selector::parse("form input[name][value]").ok()?;
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    let mut has_token = false;
    for input in page.select(&inputs) {
        let (name, value) = (input.attr("name")?, input.attr("value")?);
        if matches!(name, "csrfToken" | "sessionId" | "originalDoneUrl" | "namespace") {
            has_token |= name == "csrfToken";
            form.append_pair(name, value);
        }
    }
    form.append_pair("agree", "agree");
    has_token.then(|| form.finish())
}

/// Cookies by name. All of Yahoo's hosts share one domain, so there is one jar for them; kept by hand, as a market on
/// loopback sets cookies for a domain that is not its own.
#[derive(Default)]
struct Jar(Vec<(String, String)>);

const MOST_COOKIES: usize = 32;
const LONGEST_COOKIE: usize = 4096;

impl Jar {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, headers: &HeaderMap) {
        for value in headers.get_all(SET_COOKIE) {
            let Some((name, rest)) = value.to_str().ok().and_then(|text| text.split_once('=')) else { continue };
            let (name, value) = (name.trim(), rest.split(';').next().unwrap_or_default().trim());
            if name.is_empty() || value.is_empty() || name.len() + value.len() > LONGEST_COOKIE {
                continue;
            }
            self.0.retain(|(other, _)| other != name);
            if self.0.len() < MOST_COOKIES {
                self.0.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    fn header(&self) -> String {
        let pairs: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crumb_is_short_and_no_page() {
        assert_eq!(read_crumb(b"haT3.ykh/qZ"), Some("haT3.ykh/qZ"));
        for body in [&b""[..], b"<html>", b"Too Many Requests\r\n", b"\xff\xfe", &[b'a'; 65]] {
            assert_eq!(read_crumb(body), None, "{body:?}");
        }
    }

    #[test]
    fn the_form_of_consent_gives_its_hidden_fields() {
        let page = br#"<form method="post"><input type="hidden" name="csrfToken" value="t&amp;k">
            <input type="hidden" name="sessionId" value="3_cc"><input name="other" value="x">
            <button name="agree" value="agree">Yes</button></form>"#;
        assert_eq!(read_form(page).as_deref(), Some("csrfToken=t%26k&sessionId=3_cc&agree=agree"));
        assert_eq!(read_form(b"<p>welcome</p>"), None);
    }

    #[test]
    fn a_pass_is_not_printed() {
        let pass = Pass { jar: Jar(vec![("A3".to_owned(), "secret".to_owned())]), crumb: "secret".to_owned() };
        assert!(!format!("{pass:?}").contains("secret"));
    }
}
