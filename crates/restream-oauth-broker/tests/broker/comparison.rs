//! What OBS Studio meets behind a relay that adds the client secret and remembers nothing: the column of the relay in the
//! table of the README. The same program, the same Restream, and two such relays.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use restream_oauth_sandbox::{Endpoint, Fault, Sandbox, What};

use crate::answer::Answer;
use crate::obs_studio::{Obs, Read, has_curl};
use crate::support::{SECRET, agent};

const HOUR: Duration = Duration::from_secs(3600);

/// What a relay makes of an error of Restream.
#[derive(Clone, Copy)]
enum Errors {
    /// It passes the answer on.
    AsTheyAre,
    /// A refusal becomes the flat form with status 200, which OBS understands, and all else a status of 503.
    Flat,
}

struct Relay {
    base: String,
    sandbox: Arc<Sandbox>,
}

impl Relay {
    /// Serves until the test process ends.
    fn start(errors: Errors) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/", listener.local_addr().unwrap());
        let redirect_uri = format!("{base}v1/restream/finalise");
        let sandbox = Sandbox::builder().client_secret(SECRET).redirect_uri(redirect_uri.as_str());
        let sandbox = Arc::new(sandbox.start().unwrap());
        let door = Door { sandbox: Arc::clone(&sandbox), redirect_uri, errors };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let door = door.clone();
                thread::spawn(move || door.serve(&stream));
            }
        });
        Self { base, sandbox }
    }

    fn obs(&self) -> Obs<'_> {
        Obs::new(self.base.clone(), &self.sandbox)
    }

    fn obs_with_a_login(&self) -> Obs<'_> {
        let mut obs = self.obs();
        assert_eq!(obs.log_in(), Read::Token);
        assert!(obs.took_restream_s_code);
        obs
    }
}

#[derive(Clone)]
struct Door {
    sandbox: Arc<Sandbox>,
    redirect_uri: String,
    errors: Errors,
}

impl Door {
    /// One request, and the end of the connection.
    fn serve(&self, mut stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while reader.read_line(&mut head).is_ok_and(|length| length > 2) {}
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).unwrap();
        let (line, more, body) = if head.starts_with("GET /v1/restream/redirect ") {
            ("302 Found".to_owned(), format!("Location: {}\r\n", self.consent()), String::new())
        } else {
            let (status, body) = self.token(&body);
            (format!("{status} X"), "Content-Type: application/json\r\n".to_owned(), body)
        };
        // OBS may have hung up.
        let _ = write!(
            stream,
            "HTTP/1.1 {line}\r\n{more}Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
    }

    fn consent(&self) -> String {
        let parameters = [
            ("response_type", "code"),
            ("client_id", self.sandbox.client_id()),
            ("redirect_uri", &self.redirect_uri),
            ("state", "state"),
        ];
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        format!("{}/oauth/authorize?{query}", self.sandbox.base_url())
    }

    /// Adds the credentials, and tells what Restream says.
    fn token(&self, form: &[u8]) -> (u16, String) {
        let form: Vec<_> =
            form_urlencoded::parse(form).filter(|(name, _)| name != "client_id" && name != "action").collect();
        let own =
            [("client_id", self.sandbox.client_id()), ("client_secret", SECRET), ("redirect_uri", &*self.redirect_uri)];
        let form = form.iter().map(|(name, value)| (&**name, &**value)).chain(own);
        let answer = agent().post(format!("{}/oauth/token", self.sandbox.base_url())).send_form(form).map(Answer::of);
        match (answer, self.errors) {
            (Ok(answer), Errors::AsTheyAre) => (answer.status, answer.body),
            (Ok(answer), Errors::Flat) if answer.status == 200 => (200, answer.body),
            (Ok(answer), Errors::Flat) if answer.status == 400 => {
                (200, r#"{"error":"invalid_grant","error_description":"log in again"}"#.to_owned())
            }
            _ => (503, String::new()),
        }
    }
}

#[test]
fn behind_a_relay_without_memory_obs_asks_for_a_login_at_every_other_refresh() {
    if !has_curl() {
        return;
    }
    let relay = Relay::start(Errors::Flat);
    let mut obs = relay.obs_with_a_login();
    for number in 0..730 {
        relay.sandbox.advance(12 * HOUR);
        match obs.refresh() {
            Read::Token => assert_eq!(number % 2, 0),
            Read::InvalidGrant => assert_eq!(obs.log_in(), Read::Token),
            Read::Failure => panic!("refresh {number} failed"),
        }
        assert!(obs.can_stream());
    }
    assert_eq!(obs.logins_asked_for, 365);
}

#[test]
fn behind_a_relay_that_passes_errors_as_they_are_obs_has_no_login_and_does_not_know_it() {
    if !has_curl() {
        return;
    }
    let relay = Relay::start(Errors::AsTheyAre);
    let mut obs = relay.obs_with_a_login();
    relay.sandbox.advance(12 * HOUR);
    assert_eq!(obs.refresh(), Read::Token);
    for _ in 1..20 {
        relay.sandbox.advance(12 * HOUR);
        assert_eq!(obs.refresh(), Read::Failure);
        assert!(!obs.can_stream());
    }
    assert_eq!(obs.logins_asked_for, 0);
}

#[test]
fn behind_a_relay_a_refresh_that_takes_longer_than_obs_waits_costs_the_login() {
    if !has_curl() {
        return;
    }
    let relay = Relay::start(Errors::Flat);
    let mut obs = relay.obs_with_a_login();
    relay.sandbox.inject(Fault::new(What::Delay(Duration::from_secs(8))).on(Endpoint::Token));
    assert_eq!(obs.refresh(), Read::Failure);
    assert!(relay.sandbox.wait_until(Duration::from_secs(60), |ledger| ledger.refreshes == 1));
    assert_eq!(obs.refresh(), Read::InvalidGrant);
}

/// The relay may have died meanwhile, or the network failed.
#[test]
fn behind_a_relay_an_answer_that_is_lost_on_its_way_costs_the_login() {
    if !has_curl() {
        return;
    }
    let relay = Relay::start(Errors::Flat);
    let mut obs = relay.obs_with_a_login();
    relay.sandbox.inject(Fault::new(What::lost_answer()).on(Endpoint::Token));
    assert_eq!(obs.refresh(), Read::Failure);
    assert_eq!(relay.sandbox.ledger().refreshes, 1);
    assert_eq!(obs.refresh(), Read::InvalidGrant);
}

#[test]
fn behind_a_relay_a_login_that_takes_longer_than_obs_waits_has_spent_its_code() {
    if !has_curl() {
        return;
    }
    let relay = Relay::start(Errors::Flat);
    let mut obs = relay.obs();
    let code = obs.code_of_the_browser();
    relay.sandbox.inject(Fault::new(What::Delay(Duration::from_secs(8))).on(Endpoint::Token));
    assert_eq!(obs.redeem(&code), Read::Failure);
    assert!(relay.sandbox.wait_until(Duration::from_secs(60), |ledger| ledger.exchanges == 1));
    assert_eq!(obs.redeem(&code), Read::InvalidGrant);
}

/// The second copy may be an old one of a crash, that of another machine, or a thief's.
#[test]
fn behind_a_relay_two_copies_of_obs_lock_each_other_out() {
    if !has_curl() {
        return;
    }
    let relay = Relay::start(Errors::Flat);
    let mut one = relay.obs_with_a_login();
    let mut two = one.clone();
    assert_eq!(one.refresh(), Read::Token);
    assert!(!two.can_stream());
    assert_eq!(two.refresh(), Read::InvalidGrant);
}

#[test]
fn behind_a_relay_obs_tries_again_when_restream_cannot_be_reached() {
    if !has_curl() {
        return;
    }
    for errors in [Errors::Flat, Errors::AsTheyAre] {
        let relay = Relay::start(errors);
        let mut obs = relay.obs_with_a_login();
        relay.sandbox.inject(Fault::new(What::reset()).on(Endpoint::Token).before_acting());
        assert_eq!(obs.refresh(), Read::Failure);
        assert_eq!(obs.refresh(), Read::Token);
    }
}

#[test]
fn behind_a_relay_an_ended_grant_is_a_failure_that_obs_cannot_read() {
    if !has_curl() {
        return;
    }
    let relay = Relay::start(Errors::AsTheyAre);
    let mut obs = relay.obs_with_a_login();
    relay.sandbox.end_grants();
    assert_eq!(obs.refresh(), Read::Failure);
    assert_eq!(obs.logins_asked_for, 0);
}
