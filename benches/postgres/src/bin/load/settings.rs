//! What a run is asked for.

use std::path::PathBuf;
use std::time::Duration;

use crate::Outcome;

/// The size of a run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) grants: u32,
    pub(crate) lifetime: Duration,
    /// How long it runs before the first failure.
    pub(crate) steady: Duration,
    /// How long the database is away.
    pub(crate) outage: Duration,
    /// How many requests a second each worker may send.
    pub(crate) rate: f64,
    /// Whether the workers prepare their statements. Behind a pooler in transaction mode they must not.
    pub(crate) prepares: bool,
    pub(crate) picture: Option<PathBuf>,
    /// A run of minutes, on whatever machine. It is too short to catch up after what fails in it.
    pub(crate) quick: bool,
}

impl Settings {
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let mut settings = Self {
            grants: 1_000_000,
            lifetime: minutes(60),
            steady: minutes(60),
            outage: minutes(1),
            rate: 250.0,
            prepares: true,
            picture: None,
            quick: false,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("expected a value after {argument}"));
            match argument.as_str() {
                "--quick" => {
                    let (grants, outage) = (100_000, Duration::from_secs(10));
                    settings =
                        Self { grants, lifetime: minutes(6), steady: minutes(2), outage, quick: true, ..settings };
                }
                "--grants" => settings.grants = value()?.parse()?,
                "--lifetime" => settings.lifetime = Duration::from_secs(value()?.parse()?),
                "--minutes" => settings.steady = minutes(value()?.parse()?),
                "--outage" => settings.outage = Duration::from_secs(value()?.parse()?),
                "--unprepared" => settings.prepares = false,
                "--rate" => settings.rate = value()?.parse()?,
                "--picture" => settings.picture = Some(value()?.into()),
                other => {
                    let known = "--quick, --grants, --lifetime, --minutes, --outage, --rate, --unprepared or --picture";
                    return Err(format!("expected {known}, and not {other}").into());
                }
            }
        }
        Ok(settings)
    }

    /// How many rotations a second keep all grants warm: a warm grant is refreshed after 70 % of its life, on average.
    pub(crate) fn needed(&self) -> f64 {
        f64::from(self.grants) / (0.7 * self.lifetime.as_secs_f64())
    }

    /// How often everything is looked at.
    pub(crate) fn every(&self) -> Duration {
        Duration::from_secs(if self.grants <= 200_000 { 2 } else { 5 })
    }
}
