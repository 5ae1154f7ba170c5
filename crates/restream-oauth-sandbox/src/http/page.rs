//! The consent page: plain HTML that works without scripts, and says what is being asked.

use crate::answer::Answer;
use crate::restream::error_response::ErrorResponse;

/// Asks the user. The form goes back to the address of the page, query included, so that the request is
/// read once more from the same place and the page repeats none of it.
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

/// Says why there is nothing to agree to. Nobody is redirected.
pub(crate) fn error(error: &ErrorResponse) -> Answer {
    let main = format!(
        "<h1>This request cannot be answered</h1>\n<p role=\"alert\">{}</p>\n<p><code>{}</code></p>",
        escaped(error.message()),
        escaped(error.name()),
    );
    page(400, "This request cannot be answered", &main)
}

/// Whose account it is; also what the profile says.
pub(crate) const USERNAME: &str = "sandbox-user";

fn page(status: u16, title: &str, main: &str) -> Answer {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} \u{2013} Restream sandbox</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <p class=\"note\">Restream sandbox \u{2013} a test server, no real account</p>\n\
         <main>\n{main}\n</main>\n</body>\n</html>\n"
    );
    // No `form-action`: browsers apply it to the redirect after the form, too, and that leads to the
    // application.
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

/// For text and for attribute values in double quotes.
fn escaped(text: &str) -> String {
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
    fn the_page_needs_no_script_and_allows_none() {
        let answer = consent("id", "http://127.0.0.1/", &[]);
        let html = String::from_utf8_lossy(answer.body());
        assert!(html.contains("id=\"approve\"") && html.contains("id=\"deny\""));
        assert!(html.contains("lang=\"en\"") && html.contains("<main>"));
        assert!(answer.value("content-security-policy").unwrap().contains("default-src 'none'"));
        assert_eq!(answer.value("cache-control"), Some("no-store"));
    }
}
