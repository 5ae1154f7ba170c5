//! The rules of codes, grants, rotation and revocation, one sentence each.

use super::*;
use crate::restream::authorization_request::AuthorizationError;
use crate::restream::rules::Denial;

const REDIRECT_URI: &str = "http://127.0.0.1:8976/callback";
/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A macro, because a method would borrow the server, too.
macro_rules! context {
    ($scenario:expr) => {
        Context { settings: &$scenario.settings, rules: $scenario.rules, now: $scenario.now }
    };
}

/// A server with one client and a clock of its own. Its tokens carry the number of their pair.
struct Scenario {
    settings: Settings,
    rules: Rules,
    server: AuthorizationServer,
    now: Duration,
    pairs: u32,
    codes: u32,
}

impl Scenario {
    fn new() -> Self {
        let settings = Settings {
            client_id: "id".to_owned(),
            client_secret: Some("secret".to_owned()),
            redirect_uris: vec![REDIRECT_URI.to_owned(), format!("{REDIRECT_URI}?app=1")],
            scopes: vec!["profile.read".to_owned(), "chat.read".to_owned()],
            token_prefix: String::new(),
            code_lifetime: Duration::from_secs(60),
            access_token_lifetime: Duration::from_secs(3600),
            refresh_token_lifetime: Duration::from_secs(31_536_000),
        };
        let now = Duration::from_secs(1_520_280_067);
        Self { settings, rules: Rules::default(), server: AuthorizationServer::default(), now, pairs: 0, codes: 0 }
    }

    fn approved(query: &str) -> (Self, String) {
        let mut scenario = Self::new();
        let code = scenario.approve(query);
        (scenario, code)
    }

    fn granted() -> (Self, Issued) {
        let (mut scenario, code) = Self::approved("");
        let issued = scenario.exchange(&code).map_err(|it| it.message().to_owned()).unwrap();
        (scenario, issued)
    }

    fn read(&self, query: &str) -> Result<AuthorizationRequest, AuthorizationError> {
        let query = format!("response_type=code&client_id=id&redirect_uri={REDIRECT_URI}&state=xyz{query}");
        AuthorizationRequest::read(&self.settings, &Form::parse(query.as_bytes()))
    }

    fn approve(&mut self, query: &str) -> String {
        let Ok(asked) = self.read(query) else { panic!("{query} is refused") };
        self.codes += 1;
        let code = format!("code-{}", self.codes);
        self.server.approve(context!(self), asked, code.clone());
        code
    }

    fn token(&mut self, form: &str) -> Result<Issued, ErrorResponse> {
        self.pairs += 1;
        let fresh = FreshPair {
            access_token: format!("access-{}", self.pairs),
            refresh_token: format!("refresh-{}", self.pairs),
        };
        self.server.token(context!(self), &Form::parse(form.as_bytes()), fresh)
    }

    fn exchange(&mut self, code: &str) -> Result<Issued, ErrorResponse> {
        self.token(&format!("grant_type=authorization_code&redirect_uri={REDIRECT_URI}&code={code}"))
    }

    fn refresh(&mut self, refresh_token: &str) -> Result<Issued, ErrorResponse> {
        self.token(&format!("grant_type=refresh_token&refresh_token={refresh_token}"))
    }

    fn is_alive(&mut self, access_token: &str) -> bool {
        self.server.check_access_token(access_token, self.now).is_ok()
    }
}

impl Issued {
    fn refresh_token(&self) -> &str {
        self.refresh_token.as_ref().map_or("none", |refresher| &refresher.token)
    }
}

fn name(outcome: Result<Issued, ErrorResponse>) -> &'static str {
    outcome.err().map_or("issued", |error| error.name())
}

#[test]
fn an_approval_redirects_with_code_scope_and_state_in_that_order() {
    let mut scenario = Scenario::new();
    let Ok(asked) = scenario.read("") else { panic!() };
    let location = scenario.server.approve(context!(scenario), asked, "c".to_owned());
    assert_eq!(location, format!("{REDIRECT_URI}?code=c&scope=profile.read+chat.read&state=xyz"));
}

#[test]
fn a_denial_redirects_without_any_parameter_or_with_an_error() {
    let Ok(asked) = Scenario::new().read("") else { panic!() };
    assert_eq!(asked.deny(Denial::WithoutParameters), REDIRECT_URI);
    let Ok(asked) = Scenario::new().read("") else { panic!() };
    let location = asked.deny(Denial::WithParameters);
    assert!(location.starts_with(&format!("{REDIRECT_URI}?error=access_denied&error_description=")), "{location}");
    assert!(location.ends_with("&state=xyz"), "{location}");
}

#[test]
fn parameters_are_appended_to_the_query_of_the_redirect_uri() {
    let mut scenario = Scenario::new();
    let query = "response_type=code&client_id=id&redirect_uri=http%3A//127.0.0.1:8976/callback%3Fapp%3D1";
    let asked = AuthorizationRequest::read(&scenario.settings, &Form::parse(query.as_bytes()));
    let Ok(asked) = asked else { panic!() };
    let location = scenario.server.approve(context!(scenario), asked, "c".to_owned());
    assert!(location.starts_with(&format!("{REDIRECT_URI}?app=1&code=c&scope=")));
    assert!(!location.contains("state"), "none was sent");
}

#[test]
fn an_unregistered_client_or_redirect_uri_gets_a_page_and_no_redirect() {
    let settings = Scenario::new().settings;
    for query in [
        "response_type=code&redirect_uri=http://127.0.0.1:8976/callback",
        "response_type=code&client_id=other&redirect_uri=http://127.0.0.1:8976/callback",
        "response_type=code&client_id=id",
        "response_type=code&client_id=id&redirect_uri=http://127.0.0.1:8977/callback",
        "response_type=code&client_id=id&redirect_uri=http://127.0.0.1:8976/callback/",
        "response_type=code&client_id=id&client_id=id&redirect_uri=http://127.0.0.1:8976/callback",
    ] {
        let error = AuthorizationRequest::read(&settings, &Form::parse(query.as_bytes())).err();
        assert!(matches!(error, Some(AuthorizationError::Page(_))), "{query}");
    }
}

#[test]
fn other_errors_go_to_the_redirect_uri_with_the_state() {
    let settings = Scenario::new().settings;
    let known = format!("client_id=id&state=xyz&redirect_uri={REDIRECT_URI}");
    for (query, error) in [
        ("", "invalid_request"),
        ("&response_type=token", "unsupported_response_type"),
        (&format!("&response_type=code&code_challenge={CHALLENGE}"), "invalid_request"),
        (&format!("&response_type=code&code_challenge={CHALLENGE}&code_challenge_method=plain"), "invalid_request"),
        ("&response_type=code&code_challenge=short&code_challenge_method=S256", "invalid_request"),
        ("&response_type=code&code_challenge_method=S256", "invalid_request"),
    ] {
        let query = format!("{known}{query}");
        match AuthorizationRequest::read(&settings, &Form::parse(query.as_bytes())) {
            Err(AuthorizationError::Redirect(location)) => {
                assert!(location.starts_with(&format!("{REDIRECT_URI}?error={error}&")), "{location}");
                assert!(location.ends_with("&state=xyz"), "{location}");
            }
            _ => panic!("{query}"),
        }
    }
}

#[test]
fn a_code_is_exchanged_once_and_its_second_use_revokes_the_pair() {
    let (mut scenario, code) = Scenario::approved("");
    let issued = scenario.exchange(&code).ok().unwrap();
    assert!(scenario.is_alive(&issued.access_token));
    assert_eq!(name(scenario.exchange(&code)), "invalid_grant");
    assert!(!scenario.is_alive(&issued.access_token));
    assert_eq!(name(scenario.refresh(issued.refresh_token())), "invalid_grant");
    assert_eq!(scenario.server.tally().codes_replayed, 1);
    assert_eq!(scenario.server.tally().exchanges, 1);
}

#[test]
fn the_second_use_of_a_code_also_revokes_a_refreshed_pair() {
    let (mut scenario, code) = Scenario::approved("");
    let first = scenario.exchange(&code).ok().unwrap();
    let second = scenario.refresh(first.refresh_token()).ok().unwrap();
    assert_eq!(name(scenario.exchange(&code)), "invalid_grant");
    assert!(!scenario.is_alive(&second.access_token));
}

#[test]
fn a_code_expires_exactly_at_the_end_of_its_lifetime() {
    for (seconds, expected) in [(59, "issued"), (60, "invalid_grant")] {
        let (mut scenario, code) = Scenario::approved("");
        scenario.now += Duration::from_secs(seconds);
        assert_eq!(name(scenario.exchange(&code)), expected, "after {seconds} s");
    }
}

#[test]
fn an_exchange_needs_the_redirect_uri_of_its_code() {
    let (mut scenario, code) = Scenario::approved("");
    let form = |uri: &str| format!("grant_type=authorization_code&code={code}&redirect_uri={uri}");
    assert_eq!(name(scenario.token(&form("http://127.0.0.1:8976/callback%3Fapp%3D1"))), "invalid_grant");
    assert_eq!(name(scenario.token(&form(""))), "invalid_request");
    assert_eq!(name(scenario.token(&form(REDIRECT_URI))), "issued");
}

/// RFC 9700 §4.5.
#[test]
fn the_verifier_must_fit_the_challenge_of_rfc_7636_appendix_b() {
    let challenged = format!("&code_challenge={CHALLENGE}&code_challenge_method=S256");
    let other = VERIFIER.replace('d', "e");
    for (challenge, verifier, expected) in [
        (challenged.as_str(), Some(VERIFIER), "issued"),
        (&challenged, Some(other.as_str()), "invalid_grant"),
        (&challenged, Some(CHALLENGE), "invalid_grant"),
        (&challenged, Some("short"), "invalid_grant"),
        (&challenged, None, "invalid_grant"),
        ("", Some(VERIFIER), "invalid_grant"),
        ("", None, "issued"),
    ] {
        let (mut scenario, code) = Scenario::approved(challenge);
        let verifier = verifier.map(|it| format!("&code_verifier={it}")).unwrap_or_default();
        let form = format!("grant_type=authorization_code&code={code}&redirect_uri={REDIRECT_URI}{verifier}");
        assert_eq!(name(scenario.token(&form)), expected, "{challenge} {verifier}");
    }
}

#[test]
fn a_refresh_kills_the_old_pair_at_once() {
    let (mut scenario, first) = Scenario::granted();
    let second = scenario.refresh(first.refresh_token()).ok().unwrap();
    assert!(!scenario.is_alive(&first.access_token));
    assert!(scenario.is_alive(&second.access_token));
    assert_eq!(scenario.server.tally().refreshes, 1);
    assert_eq!(scenario.server.tally().dead_access_tokens_used, 1);
}

#[test]
fn the_use_of_a_dead_refresh_token_is_counted_and_leaves_the_new_pair_alive() {
    let (mut scenario, first) = Scenario::granted();
    let second = scenario.refresh(first.refresh_token()).ok().unwrap();
    assert_eq!(name(scenario.refresh(first.refresh_token())), "invalid_grant");
    assert_eq!(scenario.server.tally().dead_refresh_tokens_used, 1);
    assert!(scenario.is_alive(&second.access_token));
}

#[test]
fn the_use_of_a_dead_refresh_token_revokes_the_new_pair_if_so_configured() {
    let (mut scenario, first) = Scenario::granted();
    scenario.rules.rotation = Rotation::Family;
    let second = scenario.refresh(first.refresh_token()).ok().unwrap();
    assert_eq!(name(scenario.refresh(first.refresh_token())), "invalid_grant");
    assert!(!scenario.is_alive(&second.access_token));
}

#[test]
fn within_its_grace_an_old_refresh_token_issues_a_further_pair() {
    let (mut scenario, first) = Scenario::granted();
    scenario.rules.rotation = Rotation::Grace(Duration::from_secs(30));
    let second = scenario.refresh(first.refresh_token()).ok().unwrap();
    assert!(!scenario.is_alive(&first.access_token), "the old access token has no grace");
    scenario.now += Duration::from_secs(29);
    let third = scenario.refresh(first.refresh_token()).ok().unwrap();
    let fourth = scenario.refresh(first.refresh_token()).ok().unwrap();
    for pair in [&second, &third, &fourth] {
        assert!(scenario.is_alive(&pair.access_token));
    }
    assert_eq!((scenario.server.tally().refreshes, scenario.server.tally().refreshes_in_grace), (3, 2));
    assert_eq!(scenario.server.tally().dead_refresh_tokens_used, 0);

    scenario.now += Duration::from_secs(1);
    assert_eq!(name(scenario.refresh(first.refresh_token())), "invalid_grant", "30 s after the rotation");
    assert_eq!(scenario.server.tally().dead_refresh_tokens_used, 1);
    for pair in [second, third, fourth] {
        assert_eq!(name(scenario.refresh(pair.refresh_token())), "issued", "every new pair lives on");
    }
}

#[test]
fn a_revoked_refresh_token_has_no_grace() {
    let (mut scenario, first) = Scenario::granted();
    scenario.rules.rotation = Rotation::Grace(Duration::from_secs(30));
    let second = scenario.refresh(first.refresh_token()).ok().unwrap();
    scenario.server.revoke(&second.access_token);
    for pair in [first, second] {
        assert_eq!(name(scenario.refresh(pair.refresh_token())), "invalid_grant");
    }
}

#[test]
fn without_rotation_a_refresh_repeats_the_refresh_token_and_nothing_dies() {
    let (mut scenario, first) = Scenario::granted();
    scenario.rules.rotation = Rotation::None;
    scenario.now += Duration::from_secs(10);
    let second = scenario.refresh(first.refresh_token()).ok().unwrap();
    assert_eq!(second.refresh_token(), first.refresh_token());
    assert_ne!(second.access_token, first.access_token);
    assert!(scenario.is_alive(&first.access_token) && scenario.is_alive(&second.access_token));
    let expiries = [&first, &second].map(|issued| issued.refresh_token.as_ref().map(|it| it.expires_at));
    assert_eq!(expiries[0], expiries[1], "a repeated refresh token lives no longer");
    scenario.server.revoke(first.refresh_token());
    assert!(!scenario.is_alive(&first.access_token) && !scenario.is_alive(&second.access_token));
}

#[test]
fn a_response_to_a_refresh_may_have_no_refresh_token_and_the_old_one_stays_valid() {
    let (mut scenario, first) = Scenario::granted();
    scenario.rules.refresh_token = RefreshTokens::Exchange;
    for _ in 0..2 {
        let next = scenario.refresh(first.refresh_token()).ok().unwrap();
        assert!(next.refresh_token.is_none());
        assert!(!scenario.is_alive(&first.access_token) && scenario.is_alive(&next.access_token));
    }
    scenario.rules.refresh_token = RefreshTokens::Always;
    let last = scenario.refresh(first.refresh_token()).ok().unwrap();
    assert_ne!(last.refresh_token(), first.refresh_token());
    assert_eq!(name(scenario.refresh(first.refresh_token())), "invalid_grant");
}

#[test]
fn an_exchange_may_issue_no_refresh_token() {
    let (mut scenario, code) = Scenario::approved("");
    scenario.rules.refresh_token = RefreshTokens::Never;
    let issued = scenario.exchange(&code).ok().unwrap();
    assert!(issued.refresh_token.is_none() && scenario.is_alive(&issued.access_token));
    assert_eq!(name(scenario.refresh("refresh-1")), "invalid_grant", "none was issued in secret");
}

#[test]
fn an_approval_may_grant_fewer_scopes() {
    let mut scenario = Scenario::new();
    scenario.rules.granted_scope = GrantedScope::Narrower;
    let Ok(asked) = scenario.read("&scope=profile.read+chat.read") else { panic!() };
    let location = scenario.server.approve(context!(scenario), asked, "c".to_owned());
    assert_eq!(location, format!("{REDIRECT_URI}?code=c&scope=profile.read&state=xyz"));
    assert_eq!(*scenario.exchange("c").ok().unwrap().scopes, ["profile.read"]);
}

#[test]
fn unknown_tokens_and_access_tokens_cannot_refresh_and_do_not_count_as_reuse() {
    let (mut scenario, issued) = Scenario::granted();
    assert_eq!(name(scenario.refresh("unknown")), "invalid_grant");
    assert_eq!(name(scenario.refresh(&issued.access_token)), "invalid_grant");
    assert_eq!(scenario.server.tally().dead_refresh_tokens_used, 0);
    assert!(scenario.is_alive(&issued.access_token));
}

#[test]
fn tokens_expire_at_the_end_of_their_lifetimes() {
    let (mut scenario, issued) = Scenario::granted();
    scenario.now += Duration::from_secs(3599);
    assert!(scenario.is_alive(&issued.access_token));
    scenario.now += Duration::from_secs(1);
    assert!(!scenario.is_alive(&issued.access_token));
    assert_eq!(scenario.server.tally().dead_access_tokens_used, 0, "an expired token was not rotated");
    scenario.now += Duration::from_secs(31_536_000 - 3600);
    assert_eq!(name(scenario.refresh(issued.refresh_token())), "invalid_grant");
}

#[test]
fn revoking_either_token_kills_both_and_counts_once() {
    for by_refresh_token in [false, true] {
        let (mut scenario, issued) = Scenario::granted();
        let token = if by_refresh_token { issued.refresh_token() } else { &issued.access_token };
        scenario.server.revoke(token);
        scenario.server.revoke(token);
        scenario.server.revoke("unknown");
        assert!(!scenario.is_alive(&issued.access_token));
        assert_eq!(name(scenario.refresh(issued.refresh_token())), "invalid_grant");
        assert_eq!(scenario.server.tally().revocations, 1);
    }
}

#[test]
fn a_refresh_may_ask_for_fewer_scopes() {
    for rule in [RefreshScope::Ignore, RefreshScope::Refuse] {
        let (mut scenario, issued) = Scenario::granted();
        scenario.rules.refresh_scope = rule;
        let form = format!("grant_type=refresh_token&refresh_token={}", issued.refresh_token());
        let narrowed = scenario.token(&format!("{form}&scope=+chat.read")).ok().unwrap();
        assert_eq!(*narrowed.scopes, ["chat.read"], "{rule:?}");
    }
}

#[test]
fn a_refresh_that_asks_for_more_scopes_gets_the_granted_ones_or_an_error() {
    for more in ["chat.read+chat.write", "chat.write", "profile.read+chat.read+openid"] {
        let (mut scenario, issued) = Scenario::granted();
        let form = format!("grant_type=refresh_token&refresh_token={}&scope={more}", issued.refresh_token());
        scenario.rules.refresh_scope = RefreshScope::Refuse;
        assert_eq!(name(scenario.token(&form)), "invalid_scope", "{more}");
        assert!(scenario.is_alive(&issued.access_token), "an error rotates nothing");
        scenario.rules.refresh_scope = RefreshScope::Ignore;
        assert_eq!(*scenario.token(&form).ok().unwrap().scopes, ["profile.read", "chat.read"], "{more}");
    }
}

#[test]
fn a_refresh_with_an_empty_scope_keeps_the_granted_ones() {
    for empty in ["", "&scope", "&scope=", "&scope=+"] {
        let (mut scenario, issued) = Scenario::granted();
        scenario.rules.refresh_scope = RefreshScope::Refuse;
        let form = format!("grant_type=refresh_token&refresh_token={}{empty}", issued.refresh_token());
        assert_eq!(*scenario.token(&form).ok().unwrap().scopes, ["profile.read", "chat.read"], "{empty:?}");
    }
}

#[test]
fn a_token_request_without_a_required_parameter_is_invalid() {
    let mut scenario = Scenario::new();
    for (form, expected) in [
        ("", "invalid_request"),
        ("grant_type=", "invalid_request"),
        ("grant_type=password", "unsupported_grant_type"),
        ("grant_type=authorization_code", "invalid_request"),
        ("grant_type=refresh_token", "invalid_request"),
    ] {
        assert_eq!(name(scenario.token(form)), expected, "{form}");
    }
}
