//! The command of the simulation: searches for violations, measures losses, repeats a seed.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use restream_oauth_keeper_simulation::{Flaw, Study, hunt, picture, search, trace};

const HELP: &str = "\
Puts the keeper into a world of faults, and counts what it loses.

  --device-months N   how long all devices together run, in months (default 1000)
  --seed S            the first seed (default 0)
  --seeds N           how many seeds with many faults are searched for violations (default 1000)
  --flaw NAME         search with a faulty protocol
  --flaws             search with every faulty protocol, until it is found
  --trace             repeat the first seed that violates something, and show its last events
  --lines N           how many events (default 60)
  --picture FILE      write the losses as an SVG picture

Prints Markdown. Fails if the right protocol violates something, or leaves too many grants stale after the faults.
";

fn main() -> ExitCode {
    match command(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(code) => code,
        Err(message) => {
            let _ = writeln!(io::stderr(), "{message}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

struct Arguments {
    device_months: f64,
    seed: u64,
    seeds: u64,
    flaw: Flaw,
    flaws: bool,
    trace: bool,
    lines: usize,
    picture: Option<String>,
}

fn command(arguments: &[String]) -> Result<ExitCode, String> {
    let arguments = read(arguments)?;
    let mut out = io::stdout().lock();
    if arguments.flaws {
        let _ = writeln!(out, "{}", hunt(arguments.seed, arguments.seeds));
        return Ok(ExitCode::SUCCESS);
    }
    let began = Instant::now();
    let found = search(arguments.seed, arguments.seeds, arguments.flaw);
    let _ = writeln!(out, "{found}\n\n{:.0} s\n", began.elapsed().as_secs_f64());
    if let Some((seed, _)) = found.violations.first().filter(|_| arguments.trace) {
        for line in trace(*seed, arguments.flaw, arguments.lines).0 {
            let _ = writeln!(out, "    {line}");
        }
    }
    if arguments.flaw != Flaw::None {
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.device_months > 0.0 {
        let began = Instant::now();
        let study = Study::of(arguments.seed, arguments.device_months);
        let _ = writeln!(out, "{study}\n\n{:.0} s", began.elapsed().as_secs_f64());
        if let Some(file) = &arguments.picture {
            std::fs::write(file, picture(&study)).map_err(|error| format!("{file}: {error}"))?;
        }
        if !study.violations.is_empty() {
            return Ok(ExitCode::FAILURE);
        }
    }
    let is_well = found.violations.is_empty() && found.is_fresh_soon();
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(arguments: &[String]) -> Result<Arguments, String> {
    let mut read = Arguments {
        device_months: 1000.0,
        seed: 0,
        seeds: 1000,
        flaw: Flaw::None,
        flaws: false,
        trace: false,
        lines: 60,
        picture: None,
    };
    let mut rest = arguments.iter();
    while let Some(name) = rest.next() {
        let mut value = || rest.next().ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--device-months" => read.device_months = number(name, value()?)?,
            "--seed" => read.seed = number(name, value()?)?,
            "--seeds" => read.seeds = number(name, value()?)?,
            "--lines" => read.lines = number(name, value()?)?,
            "--flaws" => read.flaws = true,
            "--trace" => read.trace = true,
            "--picture" => read.picture = Some(value()?.clone()),
            "--flaw" => {
                let wanted = value()?;
                let found = Flaw::ALL.into_iter().find(|flaw| format!("{flaw:?}") == *wanted);
                let names = || Flaw::ALL.map(|flaw| format!("{flaw:?}")).join(", ");
                read.flaw = found.ok_or_else(|| format!("unknown flaw {wanted}; there are {}", names()))?;
            }
            other => return Err(format!("unknown argument {other}")),
        }
    }
    Ok(read)
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name} needs a number, not {text}"))
}
