//! Fills the table with what as many logins would have stored, by the statements' own parameters.

use std::time::{Duration, SystemTime};

use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use restream_oauth_core::{Client, Endpoints, RefreshToken, Tokens};
use restream_oauth_keeper::seal::{KeyRing, Sealer};
use restream_oauth_keeper::store::{ClaimId, Store as _, StoreOp, StoreOutcome};
use restream_oauth_keeper::{GrantName, Record};
use restream_oauth_keeper_postgres::{ClockOffset, Config, Parameter, PostgresStore, Statement};
use restream_oauth_sandbox::Sandbox;

use crate::Outcome;
use crate::database::Database;
use crate::demand::Demand;
use crate::settings::Settings;

/// The columns are those of `sql::INSERT`. Nothing is in doubt, dead or stray after a login.
const INSERT: &str =
    "INSERT INTO restream_oauth.grants (name, record, login, generation, requests, usable_until, run_at)
SELECT name, record, login, generation, requests, timestamptz 'epoch' + usable_until * interval '1 microsecond',
  timestamptz 'epoch' + run_at * interval '1 microsecond'
FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
  AS login (name, record, login, generation, requests, usable_until, run_at)";
/// How long one grant takes: 400 others are due in each second that storing all of them takes.
const STORED_WITHIN: Duration = Duration::from_micros(100);
/// How many rows a statement inserts.
const BATCH: usize = 1000;

/// The key of this run. It protects nothing.
pub(crate) const KEYS: &str = "2026-11:5e1f1c8d3a9b7e6f0011223344556677889900aabbccddeeff00112233445566";

/// The name of a grant, by its number at the sandbox.
pub(crate) fn name(number: u64) -> String {
    format!("user-{number:07}")
}

/// The client of the sandbox.
pub(crate) fn client(id: &str, secret: &str, redirect_uri: &str, base_url: &str) -> Outcome<Client> {
    Ok(Client::builder(id).secret(secret).redirect_uri(redirect_uri).endpoints(Endpoints::at(base_url)).build()?)
}

/// Mints the grants so that their ages are spread evenly over 70 % of a life when all are stored, and stores them. Returns
/// what they ask for.
pub(crate) async fn fill(database: &Database, sandbox: &Sandbox, settings: &Settings) -> Outcome<Demand> {
    let secret = sandbox.client_secret().unwrap_or_default();
    let client = client(sandbox.client_id(), secret, &sandbox.redirect_uris()[0], sandbox.base_url())?;
    let sealer = Sealer::from(KeyRing::parse(KEYS)?);
    let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut demand = Demand::new(milliseconds(settings.lifetime));
    let (mut rows, mut last) = (Rows::default(), None);
    let filling = STORED_WITHIN * settings.grants;
    let begin = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)? + filling;
    for minted in sandbox.mint(settings.grants.into(), settings.lifetime.mul_f64(0.7).saturating_sub(filling))? {
        let tokens = received(&client, minted.token_response, SystemTime::UNIX_EPOCH + minted.issued_at)?;
        // As a keeper draws it in the mode `Warm`, for a token that will be so old and has not been refreshed.
        let age = begin.saturating_sub(minted.issued_at).as_secs_f64() / settings.lifetime.as_secs_f64();
        let earliest = age.max(0.6);
        let promised = settings.lifetime.mul_f64(earliest + (0.8 - earliest) * drawn(minted.number));
        let record = Record::of_login(tokens, SystemTime::UNIX_EPOCH + minted.issued_at + promised);
        demand.add(milliseconds(minted.issued_at + promised), milliseconds(minted.issued_at + settings.lifetime));
        let grant: GrantName = name(minted.number).parse()?;
        last = Some((grant.clone(), record.clone()));
        let login = StoreOp::Insert { claim: ClaimId(1), record: Box::new(record) };
        rows.push(Statement::sealed(&grant, &login, 0, ClockOffset::default(), &sealer)?.parameters())?;
        if rows.names.len() == BATCH {
            rows.insert(database).await?;
        }
    }
    rows.insert(database).await?;
    database.client()?.batch_execute("VACUUM ANALYZE restream_oauth.grants").await?;

    // What was stored is what a store reads.
    let store = PostgresStore::connect(&Config::from_url(&database.url)?.sealed(sealer)).await?;
    let (grant, record) = last.ok_or("expected at least one grant")?;
    let StoreOutcome::Read { stored, left: false } = store.execute(&grant, StoreOp::Read).await else {
        return Err("the store does not read what was stored".into());
    };
    if stored.record().is_none_or(|stored| stored.to_saved() != record.to_saved()) {
        return Err("the store reads something else than what was stored".into());
    }
    Ok(demand)
}

/// The tokens of a response, as a client reads them.
fn received(client: &Client, body: String, sent_at: SystemTime) -> Outcome<Tokens> {
    let (_, reader) = client.refresh(&RefreshToken::new("any")).into_parts(sent_at);
    let response = Response::builder().status(StatusCode::OK).header(CONTENT_TYPE, "application/json");
    Ok(reader.read(response.body(body.into_bytes())?)?)
}

/// A number from 0 to 1 that looks random.
fn drawn(number: u64) -> f64 {
    let mixed = number.wrapping_mul(0xD134_2543_DE82_EF95).rotate_left(29).wrapping_mul(0xD134_2543_DE82_EF95);
    f64::from(u32::try_from(mixed >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

/// The rows of one statement, column by column.
#[derive(Default)]
struct Rows {
    names: Vec<String>,
    documents: [Vec<Vec<u8>>; 2],
    numbers: [Vec<i64>; 4],
}

impl Rows {
    fn push(&mut self, parameters: &[Parameter]) -> Outcome<()> {
        use Parameter::{Bytes, Number, Text};
        let [
            Text(name),
            Number(_),
            Bytes(Some(record)),
            Bytes(Some(login)),
            Number(Some(generation)),
            Number(Some(requests)),
            Number(Some(usable_until)),
            Number(Some(run_at)),
            Number(None),
            Number(None),
            Number(None),
        ] = parameters
        else {
            return Err("expected the parameters of a login".into());
        };
        self.names.push(name.to_string());
        for (column, document) in self.documents.iter_mut().zip([record, login]) {
            column.push(document.to_vec());
        }
        for (column, number) in self.numbers.iter_mut().zip([generation, requests, usable_until, run_at]) {
            column.push(*number);
        }
        Ok(())
    }

    async fn insert(&mut self, database: &Database) -> Outcome<()> {
        let Self { names, documents: [records, logins], numbers: [generations, requests, usable_until, run_at] } = self;
        let inserted = database
            .client()?
            .execute(INSERT, &[names, records, logins, generations, requests, usable_until, run_at])
            .await?;
        if inserted != names.len() as u64 {
            return Err(format!("expected {} rows, and {inserted} were stored", names.len()).into());
        }
        *self = Self::default();
        Ok(())
    }
}
