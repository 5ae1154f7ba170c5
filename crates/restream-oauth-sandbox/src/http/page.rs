//! The consent page and the error page: plain HTML that works without scripts.

use crate::answer::Answer;
use crate::restream::error_response::ErrorResponse;

/// Asks the user for consent. The form posts to the URL of the page, query included, so that the page need not repeat the
/// parameters of the request.
pub(crate) fn consent(client_id: &str, redirect_uri: &str, scopes: &[String]) -> Answer {
    let scopes: Vec<_> = scopes.iter().map(|scope| format!("<li><code>{}</code></li>", escaped(scope))).collect();
    let main = format!(
        "<h1>Allow access?</h1>\n\
         <p>The application <strong>{client_id}</strong> asks for access to the account of \
         <strong>{USERNAME}</strong>:</p>\n\
         <ul aria-label=\"Requested scopes\">{scopes}</ul>\n\
         <p>The answer goes to <code>{redirect_uri}</code></p>\n\
         <form method=\"post\">\n\
         <button id=\"approve\" name=\"decision\" value=\"approve\">Approve</button>\n\
         <button id=\"deny\" name=\"decision\" value=\"deny\">Deny</button>\n\
         </form>",
        client_id = escaped(client_id),
        scopes = scopes.concat(),
        redirect_uri = escaped(redirect_uri),
    );
    page(200, "Allow access?", &main)
}

/// Shows an error and does not redirect.
pub(crate) fn error(error: &ErrorResponse) -> Answer {
    let main = format!(
        "<h1>This request cannot be answered</h1>\n<p role=\"alert\">{}</p>\n<p><code>{}</code></p>",
        escaped(error.message()),
        escaped(error.name()),
    );
    page(400, "This request cannot be answered", &main)
}

/// The name of the account, on the consent page and in the profile.
pub(crate) const USERNAME: &str = "sandbox-user";

fn page(status: u16, title: &str, main: &str) -> Answer {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} \u{2013} Restream sandbox</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <p class=\"note\">Restream sandbox \u{2013} a test server, no real account</p>\n\
         <main>\n{main}\n</main>\n</body>\n</html>\n"
    );
    // No `form-action`: browsers apply it also to the redirect after the form, which leads to the application.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";
    Answer::new(status)
        .header("Cache-Control", "no-store")
        .header("Content-Security-Policy", policy)
        .header("Referrer-Policy", "same-origin")
        .header("X-Content-Type-Options", "nosniff")
        .with_body("text/html; charset=utf-8", html.into_bytes())
}

const STYLE: &str = "\
:root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}\
body{max-width:32rem;margin:10vh auto;padding:0 1rem}\
main{border:1px solid GrayText;border-radius:.75rem;padding:1rem 2rem 2rem}\
.note{text-align:center;font-size:.875rem}\
code,strong{overflow-wrap:anywhere}\
form{display:flex;gap:1rem}\
button{flex:1;min-height:3rem;font:inherit;border:1px solid;border-radius:.5rem;cursor:pointer}\
#approve{background:#0b57d0;border-color:#0b57d0;color:#fff}\
button:focus-visible{outline:3px solid Highlight;outline-offset:2px}";

/// Escapes text for HTML, also within attribute values in double quotes.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CVE-2025-62800.
    #[test]
    fn nothing_of_a_request_becomes_markup() {
        let hostile = "<script>\"'&";
        let answer = consent(hostile, hostile, &[hostile.to_owned()]);
        let html = String::from_utf8_lossy(answer.body());
        assert!(!html.contains("<script"));
        assert_eq!(html.matches("&lt;script&gt;&quot;&#39;&amp;").count(), 3);
    }

    #[test]
    fn the_page_works_without_scripts_and_forbids_them() {
        let answer = consent("id", "http://127.0.0.1/", &[]);
        let html = String::from_utf8_lossy(answer.body());
        assert!(html.contains("id=\"approve\"") && html.contains("id=\"deny\""));
        assert!(html.contains("lang=\"en\"") && html.contains("<main>"));
        assert!(answer.value("content-security-policy").unwrap().contains("default-src 'none'"));
        assert_eq!(answer.value("cache-control"), Some("no-store"));
    }
}
