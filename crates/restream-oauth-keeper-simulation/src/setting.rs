//! What a run is like: how many hosts, processes and grants, which server and store, and which faults happen how often.
//!
//! Each seed draws its own setting. Every kind of fault is left out of many runs, so that the others have room.

use crate::random::Random;
use crate::server::{Style, WINDOWS};
use crate::time::{DAY, HOUR, MINUTE, SECOND, Time};

/// Where the grants are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreKind {
    /// Files on the disk of the one host.
    Files,
    /// A database with leases, shared by all hosts.
    Database,
}

/// What a run is like.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) hosts: usize,
    pub(crate) processes: usize,
    pub(crate) grants: usize,
    pub(crate) store: StoreKind,
    pub(crate) server: Style,
    /// How long an access token lives.
    pub(crate) life: Time,
    /// How long the phase of faults lasts.
    pub(crate) faults_last: Time,
    /// 0: on use, 1: warm, 2: alive.
    pub(crate) mode: u64,
    pub(crate) spread: bool,
    /// How often somebody wants the token of a grant.
    pub(crate) wanted_every: Time,
    /// When the provider falls silent once, and for how long.
    pub(crate) silence: Option<(Time, Time)>,
    /// When no connection to the provider can be made, and for how long.
    pub(crate) unreachable: Option<(Time, Time)>,
    /// The API answers 401 to every token, as long as there are faults.
    pub(crate) api_refuses_all: bool,
    /// Nobody wants a token before the quarter of an hour after the faults.
    pub(crate) nobody_asks: bool,
    pub(crate) rates: Rates,
}

/// How often each fault happens: so many times in ten thousand at each opportunity, or once in a time on average (zero:
/// never).
#[derive(Clone, Debug, Default)]
pub(crate) struct Rates {
    // At each request.
    pub(crate) not_sent: u32,
    pub(crate) lost_before: u32,
    pub(crate) lost_after: u32,
    pub(crate) cut: u32,
    pub(crate) slow: u32,
    pub(crate) fails_after_acting: u32,
    pub(crate) fails_before_acting: u32,
    pub(crate) odd: u32,
    pub(crate) token_missing: u32,
    /// At each refresh: the token endpoint is down, while the API works.
    pub(crate) refresh_fails: u32,
    // At each step of an operation on the store.
    pub(crate) crash: u32,
    pub(crate) power_loss: u32,
    /// After a crash, the host loses its power within half a minute.
    pub(crate) power_loss_after_crash: u32,
    pub(crate) slow_step: u32,
    pub(crate) crash_of_another: u32,
    /// The host falls asleep just after a request was written.
    pub(crate) sleep_after_send: u32,
    /// An answer that arrives during a long sleep is still there afterwards.
    pub(crate) outlives_sleep: u32,
    /// It does not wait in the host, but comes up to twenty seconds after the sleep, when the server sends it again.
    pub(crate) resent_after_sleep: u32,
    // Once in a time.
    pub(crate) stop_every: Time,
    pub(crate) sleep_every: Time,
    pub(crate) clock_jump_every: Time,
    pub(crate) disk_trouble_every: Time,
    pub(crate) stall_every: Time,
    pub(crate) failover_every: Time,
    pub(crate) outage_every: Time,
    pub(crate) refuse_all_every: Time,
    // At each look of a user at the grant, every ten minutes or so.
    pub(crate) log_in: u32,
    pub(crate) log_out: u32,
    pub(crate) revoked: u32,
    // At each caller.
    pub(crate) gives_up: u32,
    pub(crate) wants_long: u32,
    pub(crate) calls_late: u32,
    /// Callers of all processes come at about the same time.
    pub(crate) together: u32,
}

impl Setting {
    /// A run with many faults.
    pub(crate) fn of_seed(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0xA5A5);
        let store = if random.chance(5000) { StoreKind::Files } else { StoreKind::Database };
        let hosts = if store == StoreKind::Files { 1 } else { random.between(1, 3) as usize };
        let server = match random.below(12) {
            0..=4 => Style::Strict,
            5 | 6 => Style::Grace(random.pick(&WINDOWS)),
            7 | 8 => Style::GraceFork(random.pick(&WINDOWS)),
            9 | 10 => Style::Family,
            _ => Style::Unrotating,
        };
        let life = if random.chance(8000) { HOUR } else { random.pick(&[5 * MINUTE, 20 * MINUTE, 2 * HOUR]) };
        let setting = Self {
            hosts,
            processes: hosts.max(random.between(1, 8) as usize),
            grants: random.pick(&[1, 1, 1, 2, 3, 4]),
            store,
            server,
            life,
            faults_last: random.between(4, 60) * life.min(HOUR),
            mode: random.pick(&[0, 0, 1, 1, 2]),
            spread: random.chance(3000),
            wanted_every: random.pick(&[2 * MINUTE, 10 * MINUTE, 40 * MINUTE, 2 * HOUR]),
            silence: None,
            unreachable: None,
            api_refuses_all: false,
            nobody_asks: false,
            rates: Rates::drawn(&mut random),
        };
        match random.below(100) {
            0..15 => setting.with_sleepers(&mut random),
            15..25 => setting.with_power_cuts(&mut random),
            25..27 => setting.with_many(&mut random),
            27..30 => setting.with_refusing_api(&mut random),
            30..33 => setting.with_failing_token_endpoint(&mut random),
            33..36 => setting.with_short_failure(&mut random),
            36..37 => setting.with_many_cut_off(&mut random),
            37..39 => setting.with_logouts_and_failovers(&mut random),
            _ => setting,
        }
    }

    /// Processes of one host that come together, die between two steps, and lose their power soon after: so one sees what
    /// another has written and not synced.
    fn with_power_cuts(self, random: &mut Random) -> Self {
        let mut setting =
            Self { hosts: 1, store: StoreKind::Files, wanted_every: 2 * MINUTE, life: 5 * MINUTE, ..self };
        setting.processes = random.between(3, 8) as usize;
        setting.rates = Rates {
            crash: random.pick(&[200, 500]),
            power_loss: random.pick(&[50, 200]),
            power_loss_after_crash: 5000,
            together: 8000,
            slow_step: random.pick(&[0, 50]),
            log_in: random.pick(&[0, 300]),
            ..Rates::default()
        };
        setting
    }

    /// One process with hundreds of grants, whose refreshes come due one after the other while the provider is silent for
    /// five minutes. Nothing else happens, so each grant in doubt is one that the breaker did not spare.
    fn with_many(self, random: &mut Random) -> Self {
        // Warm grants of one hour of logins come due from minute 36 to minute 48.
        let (from, length) = (random.between(37 * MINUTE, 42 * MINUTE), 5 * MINUTE);
        Self {
            hosts: 1,
            processes: 1,
            grants: 300,
            life: HOUR,
            mode: 1,
            spread: false,
            wanted_every: 12 * HOUR,
            faults_last: from + length,
            silence: Some((from, length)),
            rates: Rates::default(),
            ..self
        }
    }

    /// The same grants, while no connection to the provider can be made for a quarter of an hour. None of them is in doubt,
    /// so the breaker stays closed, and only the quota of retries holds them back.
    fn with_many_cut_off(self, random: &mut Random) -> Self {
        let (from, length) = (random.between(36 * MINUTE, 40 * MINUTE), 15 * MINUTE);
        let setting = self.with_many(random);
        Self { faults_last: from + length, silence: None, unreachable: Some((from, length)), ..setting }
    }

    /// Grants of which nobody wants the token, and a token endpoint that fails before it acts, until some minutes after they
    /// were to be refreshed. Then only the schedule of the replays brings them back.
    fn with_short_failure(self, random: &mut Random) -> Self {
        Self {
            hosts: 1,
            processes: 1,
            grants: 2,
            life: HOUR,
            mode: 1,
            spread: false,
            wanted_every: 1000 * HOUR,
            faults_last: random.between(44 * MINUTE, 52 * MINUTE),
            nobody_asks: true,
            rates: Rates { refresh_fails: 10_000, ..Rates::default() },
            ..self
        }
    }

    /// One process, and an API that answers 401 to every token, also to those that have just been issued.
    fn with_refusing_api(self, random: &mut Random) -> Self {
        Self {
            hosts: 1,
            processes: 1,
            mode: 0,
            life: HOUR,
            wanted_every: random.pick(&[MINUTE, 2 * MINUTE]),
            faults_last: random.between(2, 6) * HOUR,
            api_refuses_all: true,
            rates: Rates::default(),
            ..self
        }
    }

    /// A token endpoint that fails before it acts, while the API goes on and accepts the old token.
    fn with_failing_token_endpoint(self, random: &mut Random) -> Self {
        let rates = Rates {
            refresh_fails: 9500,
            gives_up: random.pick(&[0, 1000]),
            crash: random.pick(&[0, 50]),
            ..Rates::default()
        };
        Self { mode: random.pick(&[0, 1]), life: HOUR, wanted_every: 2 * MINUTE, rates, ..self }
    }

    /// Users who log out and in again, on a database that fails over every few minutes: so the end of a logout is often in
    /// the tail that is lost.
    fn with_logouts_and_failovers(self, random: &mut Random) -> Self {
        let mut rates = Rates { log_out: 2000, log_in: 1000, crash: random.pick(&[0, 20]), ..Rates::default() };
        rates.failover_every = 3 * MINUTE;
        Self {
            store: StoreKind::Database,
            processes: 2,
            life: 20 * MINUTE,
            wanted_every: MINUTE,
            faults_last: random.between(4, 12) * HOUR,
            rates,
            ..self
        }
    }

    /// Hosts that fall asleep in the middle of a refresh, for longer than a lease, with an answer that waits for them: so
    /// pairs come late, after another host has gone on.
    fn with_sleepers(self, random: &mut Random) -> Self {
        let server = random.pick(&[
            Style::Strict,
            Style::Grace(300 * SECOND),
            Style::GraceFork(300 * SECOND),
            Style::GraceFork(300 * SECOND),
        ]);
        let mut setting =
            Self { store: StoreKind::Database, server, wanted_every: 2 * MINUTE, life: 20 * MINUTE, ..self };
        setting.hosts = random.between(2, 3) as usize;
        setting.processes = setting.hosts + random.below(4) as usize;
        setting.rates = Rates {
            sleep_after_send: 4000,
            outlives_sleep: 9000,
            log_in: random.pick(&[0, 300]),
            revoked: random.pick(&[0, 200, 1000]),
            lost_after: random.pick(&[0, 500]),
            crash: random.pick(&[0, 20]),
            resent_after_sleep: 5000,
            ..Rates::default()
        };
        setting
    }
}

impl Setting {
    /// A month of everyday life: a few programs of one user on a laptop, a strict server, and few faults.
    pub(crate) fn everyday(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x5A5A);
        Self {
            hosts: 1,
            processes: random.between(1, 3) as usize,
            grants: 1,
            store: StoreKind::Files,
            server: Style::Strict,
            life: HOUR,
            faults_last: 30 * DAY,
            mode: 0,
            spread: false,
            wanted_every: 3 * HOUR,
            silence: None,
            unreachable: None,
            api_refuses_all: false,
            nobody_asks: false,
            rates: Rates::everyday(),
        }
    }
}

impl Rates {
    fn drawn(random: &mut Random) -> Self {
        let mut often = |choices: &[u32]| if random.chance(5000) { random.pick(choices) } else { 0 };
        let mut rates = Self {
            not_sent: often(&[100, 1000, 3000]),
            lost_before: often(&[50, 300, 2000]),
            lost_after: often(&[50, 300, 2000]),
            cut: often(&[100, 500, 2000]),
            slow: often(&[100, 1000, 5000]),
            fails_after_acting: often(&[50, 300, 2000]),
            fails_before_acting: often(&[100, 1000, 4000]),
            odd: often(&[1000, 5000]),
            token_missing: often(&[50, 500]),
            crash: often(&[5, 50, 300]),
            power_loss: often(&[5, 50, 300]),
            slow_step: often(&[10, 100, 500]),
            crash_of_another: often(&[10, 100]),
            sleep_after_send: often(&[50, 500, 3000]),
            outlives_sleep: 4000,
            log_in: often(&[20, 300]),
            log_out: often(&[20, 200]),
            revoked: often(&[10, 100]),
            gives_up: often(&[1000, 5000]),
            wants_long: often(&[100, 1000]),
            calls_late: often(&[2000, 8000]),
            together: often(&[1000, 8000]),
            ..Self::default()
        };
        let mut every = |choices: &[Time]| if random.chance(4000) { random.pick(choices) } else { 0 };
        rates.stop_every = every(&[HOUR, 8 * HOUR]);
        rates.sleep_every = every(&[30 * MINUTE, 4 * HOUR, DAY]);
        rates.clock_jump_every = every(&[HOUR, 8 * HOUR]);
        rates.disk_trouble_every = every(&[30 * MINUTE, 4 * HOUR]);
        rates.stall_every = every(&[30 * MINUTE, 4 * HOUR]);
        rates.failover_every = every(&[HOUR, 8 * HOUR]);
        rates.outage_every = every(&[2 * HOUR, 12 * HOUR]);
        rates.refuse_all_every = every(&[4 * HOUR, DAY]);
        rates
    }

    /// What happens to one device in everyday life: most days nothing does.
    pub(crate) fn everyday() -> Self {
        Self {
            not_sent: 100,
            lost_before: 1,
            lost_after: 1,
            cut: 1,
            slow: 3,
            fails_after_acting: 1,
            fails_before_acting: 30,
            odd: 10,
            token_missing: 0,
            refresh_fails: 0,
            crash: 1,
            power_loss: 0,
            power_loss_after_crash: 0,
            slow_step: 5,
            crash_of_another: 1,
            sleep_after_send: 1,
            outlives_sleep: 3000,
            resent_after_sleep: 0,
            stop_every: 3 * DAY,
            sleep_every: 8 * HOUR,
            clock_jump_every: 30 * DAY,
            disk_trouble_every: 20 * DAY,
            stall_every: 0,
            failover_every: 0,
            outage_every: 60 * DAY,
            refuse_all_every: 0,
            log_in: 0,
            log_out: 0,
            revoked: 0,
            gives_up: 300,
            wants_long: 0,
            calls_late: 2000,
            together: 3000,
        }
    }
}

/// How long a slow answer takes.
pub(crate) const SLOW: [Time; 6] = [3 * SECOND, 12 * SECOND, 40 * SECOND, 70 * SECOND, 100 * SECOND, 290 * SECOND];
