//! The link on the page that names the client. It works only in the browser that showed the page, so nobody can send a
//! user past the page (confused deputy).

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::cookie::Browser;
use crate::devices::key::hex;

const CONFIRM: &str = "&confirm=";

/// Adds a confirmation to a query. Its key is the cookie, which nobody but the browser and the broker knows. So nothing is
/// stored for a page that is only looked at.
pub(super) fn confirm(browser: &Browser, query: &str) -> String {
    format!("{query}{CONFIRM}{}", digest(browser, query).unwrap_or_default())
}

/// The query without its confirmation, if the page in this browser has confirmed it.
pub(super) fn confirmed<'a>(browser: &Browser, query: &'a str) -> Option<&'a str> {
    let (query, given) = query.rsplit_once(CONFIRM)?;
    let expected = digest(browser, query)?;
    bool::from(expected.as_bytes().ct_eq(given.as_bytes())).then_some(query)
}

fn digest(browser: &Browser, query: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(browser.expose_secret().as_bytes()).ok()?;
    mac.update(query.as_bytes());
    Some(hex(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_confirmed_in_the_browser_that_showed_it_and_as_it_was() {
        let (ours, other) = (Browser::new([1; 32]), Browser::new([2; 32]));
        let link = confirm(&ours, "client_id=a&state=b");
        assert_eq!(confirmed(&ours, &link), Some("client_id=a&state=b"));
        assert_eq!(confirmed(&other, &link), None);
        for changed in [link.replacen('a', "b", 1), format!("x=1&{link}"), format!("{link}0"), "a=b&confirm=".into()] {
            assert_eq!(confirmed(&ours, &changed), None, "{changed}");
        }
        assert_eq!(confirmed(&ours, "client_id=a"), None);
    }
}
