//! pgbench runs the statements of a rotation, with what a keeper gives them: how fast the server is for a client that does
//! nothing else.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use restream_oauth_keeper_postgres::sql;

use crate::Outcome;
use crate::database::Database;
use crate::ours::CONNECTIONS;

/// What a transaction begins with: the next grant of this client.
const NEXT: &str = "\\set number :number + 1
\\set grant :client_id * :each + :number - 1
\\set claim random(1, 1000000000000000000)
";
const NAME: &str = "('user-' || lpad(:grant::text, 7, '0'))";
const CLAIM: &str = "(:claim::bigint)";
const NOTHING: &str = "(NULL::bigint)";
const RECORD: &str = "(:record::bytea)";
const LOGIN: &str = "(:login::bytea)";
/// 2100, in microseconds.
const LATER: &str = "(4102444800000000::bigint)";
const DOUBT: &str = "(1700000000000000::bigint)";

/// Refreshes each grant once. Returns rotations a second.
pub(crate) async fn run(database: &Database, grants: u32) -> Outcome<f64> {
    database.fill(grants).await?;
    let script = env::temp_dir().join(format!("rotation-{}.sql", std::process::id()));
    fs::write(&script, rotation())?;
    let each = grants / u32::try_from(CONNECTIONS)?;
    let dump = env::var("RESTREAM_TEST_PG_DUMP")?;
    let output = Command::new(Path::new(&dump).with_file_name("pgbench"))
        .args(["--no-vacuum", "--protocol=extended", "--jobs=1"])
        .arg(format!("--client={CONNECTIONS}"))
        .arg(format!("--transactions={each}"))
        .arg(format!("--file={}", script.display()))
        .arg(format!("--define=each={each}"))
        .arg("--define=number=0")
        .arg(format!("--define=record={}", database.record))
        .arg(format!("--define=login={}", database.login))
        .arg(&database.url)
        .output()?;
    fs::remove_file(&script)?;
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        return Err(format!("pgbench: {report}{}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let refreshed =
        "SELECT count(*) FROM restream_oauth.grants WHERE generation = 1 AND claim IS NULL AND spooled IS NULL";
    let refreshed: i64 = database.client.query_one(refreshed, &[]).await?.get(0);
    if refreshed != i64::from(each) * i64::try_from(CONNECTIONS)? {
        return Err(format!("pgbench: {refreshed} of {grants} grants were refreshed").into());
    }
    let rate = report.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    rate.ok_or_else(|| "pgbench printed no rate".into())
}

/// The five statements of a rotation as a script.
fn rotation() -> String {
    let written = |generation, doubt| {
        [NAME, CLAIM, RECORD, LOGIN, generation, "(1::bigint)", LATER, LATER, doubt, NOTHING, NOTHING].to_vec()
    };
    let nothing = [NAME, CLAIM, "(NULL::bytea)", "(NULL::bytea)"].into_iter().chain([NOTHING; 7]).chain(["'remove'"]);
    let statements = [
        (sql::CLAIM, vec![NAME, CLAIM, "(120000::bigint)"]),
        (sql::PREPARE, written("(0::bigint)", DOUBT)),
        (sql::SPOOL, vec![NAME, CLAIM, "(:record::bytea || :record::bytea || :record::bytea)"]),
        (sql::COMMIT, [written("(1::bigint)", NOTHING), vec![LOGIN, "(0::bigint)"]].concat()),
        (sql::SETTLE, nothing.collect()),
    ];
    let mut script = NEXT.to_owned();
    for (text, values) in statements {
        let mut text = text.to_owned();
        // From the last to the first, so that `$1` is not found in `$12`.
        for (index, value) in values.iter().enumerate().rev() {
            text = text.replace(&format!("${}", index + 1), &format!("ARRAY[{value}]"));
        }
        let _ = writeln!(script, "{text};");
    }
    script
}
