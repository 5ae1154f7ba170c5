//! What happens to hosts, disks, the database and the provider: sleep, power losses, clocks, troubles, outages.

use super::{Event, Host, World};
use crate::disk::Trouble;
use crate::file_store::Holder;
use crate::flaws::Flaw;
use crate::storage::Storage;
use crate::time::{DAY, HOUR, Jump, MINUTE, SECOND, Time};

impl World {
    /// A host falls asleep. Its clocks run on; nothing on it executes.
    pub(super) fn sleep(&mut self, host: usize, length: Option<Time>) {
        if self.hosts[host].asleep_until.is_some() {
            return;
        }
        let mean = self.random.pick(&[20 * SECOND, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 2 * HOUR, 8 * HOUR]);
        let length = length.unwrap_or_else(|| self.random.about(mean));
        let until = self.now + length;
        self.say(|| format!("host {host} falls asleep for {} s", length / SECOND));
        self.hosts[host].asleep_until = Some(until);
        self.at(until, Event::Wake(host));
        self.every(self.setting.rates.sleep_every, Event::Sleep(host));
    }

    pub(super) fn wake(&mut self, host: usize) {
        if self.hosts[host].asleep_until.take().is_none() {
            return;
        }
        self.say(|| format!("host {host} wakes"));
        self.hosts[host].woke = self.now;
        if self.flaw() == Flaw::NoLastRead {
            let late = self.connections.iter().filter(|(_, it)| {
                it.is_open && it.deadline <= self.now && self.processes[it.holder.process].host == host
            });
            for number in late.map(|(number, _)| *number).collect::<Vec<_>>() {
                self.hang_up(number);
            }
        }
        for event in std::mem::take(&mut self.hosts[host].deferred) {
            let resent =
                matches!(event, Event::AtClient(_)) && self.random.chance(self.setting.rates.resent_after_sleep);
            let wait = if resent { self.random.below(20 * SECOND) } else { 0 };
            self.after(wait, event);
        }
        self.tick_all_of(host);
    }

    /// An event has to wait until its host wakes.
    pub(super) fn defer(&mut self, host: usize, event: Event) {
        let wakes = self.hosts[host].asleep_until.unwrap_or(self.now);
        let event = match event {
            Event::AtClient(number) => self.arrives_while_asleep(number, wakes),
            other => other,
        };
        self.hosts[host].deferred.push(event);
    }

    /// A program looks at its clocks every 30 seconds at least, so a jump and a sleep are soon seen.
    fn tick_all_of(&mut self, host: usize) {
        for process in 0..self.processes.len() {
            if self.processes[process].host == host && self.processes[process].program.is_some() {
                let holder = self.holder(process);
                let at = self.now + self.random.below(30 * SECOND);
                if self.processes[process].tick.is_some_and(|tick| tick <= at) {
                    continue;
                }
                self.processes[process].tick = Some(at);
                self.at(at, Event::Tick(holder, at));
            }
        }
    }

    pub(super) fn jump(&mut self, host: usize) {
        let jump = match self.random.below(8) {
            0 => Jump::To1970,
            1 => Jump::To2100,
            2 => Jump::By(DAY as i64),
            3 => Jump::By(-(DAY as i64)),
            4 => Jump::By(HOUR as i64 / 2),
            5 => Jump::By(-(HOUR as i64) / 2),
            _ => Jump::By(0),
        };
        self.say(|| format!("the wall clock of host {host} is set: {jump:?}"));
        let now = self.now;
        let Host { clock, jumps, .. } = &mut self.hosts[host];
        clock.jump(now, jump);
        *jumps += 1;
        self.oracle.clock_jumped();
        self.tick_all_of(host);
        self.every(self.setting.rates.clock_jump_every, Event::Jump(host));
    }

    /// The power of a host fails: all its processes die, and its disk forgets what was not synced.
    pub(super) fn lose_power(&mut self, host: usize) {
        self.say(|| format!("host {host} loses its power"));
        for process in 0..self.processes.len() {
            if self.processes[process].host == host {
                self.crash(process);
            }
        }
        if let Storage::Files(files) = &mut self.storage {
            files.lose_power(&mut self.random);
            for grant in 0..self.setting.grants {
                let durable = self.storage.durable(grant);
                self.oracle.power_lost(self.now, grant, &durable, &self.server);
            }
        }
    }

    pub(super) fn trouble(&mut self) {
        let trouble = self.random.pick(&[Trouble::Full, Trouble::ReadOnly, Trouble::Broken]);
        let length = self.random.pick(&[10 * SECOND, 2 * MINUTE, 30 * MINUTE]);
        let until = self.now + self.random.about(length);
        if let Storage::Files(files) = &mut self.storage {
            files.disk.trouble = Some((trouble, until));
            self.say(|| format!("the disk fails: {trouble:?}"));
        }
        self.every(self.setting.rates.disk_trouble_every, Event::Trouble);
    }

    pub(super) fn stall(&mut self) {
        let length = self.random.pick(&[3 * SECOND, 15 * SECOND, 90 * SECOND, 5 * MINUTE]);
        let until = self.now + self.random.about(length);
        if let Storage::Database(database) = &mut self.storage {
            database.stalled_until = until;
            self.say(|| "the database stalls".to_owned());
        }
        self.every(self.setting.rates.stall_every, Event::Stall);
    }

    /// The database fails over. Each worker mends it within ten seconds, if it is awake.
    pub(super) fn fail_over(&mut self) {
        let tail = self.random.below(crate::database::LONGEST_TAIL);
        self.say(|| format!("the database fails over, and loses the last {tail} ms"));
        let now = self.now;
        if let Storage::Database(database) = &mut self.storage {
            database.fail_over(tail, now);
            for grant in 0..self.setting.grants {
                let durable = self.storage.durable(grant);
                self.oracle.failed_over(now, grant, &durable, &self.server);
            }
            for process in 0..self.processes.len() {
                let holder = self.holder(process);
                let wait = self.random.below(8 * SECOND);
                self.after(wait, Event::Mend(holder));
            }
        }
        self.every(self.setting.rates.failover_every, Event::FailOver);
    }

    pub(super) fn mend(&mut self, holder: Holder) {
        if !self.is_alive(holder) {
            return;
        }
        let now = self.now;
        if let Storage::Database(database) = &mut self.storage {
            self.processes[holder.process].worker.mend(database, holder, now);
            for grant in 0..self.setting.grants {
                let durable = self.storage.durable(grant);
                self.oracle.mended(now, holder, grant, &durable);
            }
        }
    }

    /// The provider, or the way to it, is silent for a while.
    pub(super) fn outage(&mut self) {
        let length = self.random.pick(&[MINUTE, 5 * MINUTE, HOUR]);
        self.outage_until = self.now + self.random.about(length);
        self.say(|| "the provider falls silent".to_owned());
        self.every(self.setting.rates.outage_every, Event::Outage);
    }

    /// The provider is silent for so long, once.
    pub(super) fn fall_silent(&mut self, length: Time) {
        self.outage_until = self.now + length;
        self.say(|| format!("the provider falls silent for {} s", length / SECOND));
        self.oracle.falls_silent(self.outage_until);
    }

    /// No connection to the provider can be made for so long, once.
    pub(super) fn cut_off(&mut self, length: Time) {
        self.cut_off_until = self.now + length;
        self.say(|| format!("the provider cannot be reached for {} s", length / SECOND));
        self.oracle.is_cut_off(self.now, self.cut_off_until);
    }

    /// The API answers 401 to every token for a while.
    pub(super) fn refuse_all(&mut self) {
        let length = self.random.pick(&[MINUTE, 20 * MINUTE, 3 * HOUR]);
        self.refuse_all_until = self.now + self.random.about(length);
        self.say(|| "the API refuses every token".to_owned());
        self.every(self.setting.rates.refuse_all_every, Event::RefuseAll);
    }
}
