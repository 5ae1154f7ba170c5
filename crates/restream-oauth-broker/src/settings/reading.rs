//! Turns the text into settings, table by table.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::Path;

use ipnet::IpNet;
use restream_oauth_core::config::ConfigError;
use restream_oauth_core::{Client, Endpoints};
use restream_oauth_keeper_postgres::Config;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::checked::{Checked, Environment, LONGEST, Mode, ObsDoor, RegisteredClient, Settings, Store};
use super::fault::{Faults, Problem, Warning};
use super::table::{Notes, Table, number, path, shown, text, unusable};
use super::tls::tls;
use crate::limits::Rates;
use crate::origin::Origin;
use crate::redirect_uri::RedirectUri;

const RESTREAM: &str = "https://api.restream.io";
const OBS_PREFIX: &str = "/obs/";
/// The largest rate that can be set: more than one process can serve.
const LARGEST_RATE: u32 = 100_000;
/// What the broker itself answers to, outside the door for OBS.
const OWN_PATHS: [&str; 7] = [".well-known", "authorize", "callback", "healthz", "metrics", "revoke", "token"];

pub(super) fn parse(text: &str, environment: &Environment) -> Result<Checked, Faults> {
    let notes = Notes::of(text);
    if text.len() > LONGEST {
        notes.add("", 1, Problem::TooLong);
        return Err(Faults(notes.into_faults()));
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut broken_lines = Vec::new();
    for error in errors {
        let line = notes.line(error.span().map_or(0, |span| span.start));
        broken_lines.push(line);
        notes.add("", line, Problem::Syntax(error.message().into()));
    }
    let mut warnings = Vec::new();
    let settings = settings(&Table::root(&notes, root.get_ref()), environment, &mut warnings);
    let mut faults = notes.into_faults();
    if !broken_lines.is_empty() {
        // What could not be read is neither missing, nor worth a second fault in its line.
        faults.retain(|fault| match fault.problem {
            Problem::Syntax(_) => true,
            Problem::Missing { .. } | Problem::NoSecret => false,
            _ => !broken_lines.contains(&fault.line),
        });
    }
    faults.sort_by_key(|fault| fault.line);
    match settings {
        Some(settings) if faults.is_empty() => Ok(Checked { settings, warnings }),
        _ => Err(Faults(faults)),
    }
}

/// Returns `None` if there are faults. Reads everything all the same, so that all of them are noted.
fn settings(root: &Table<'_>, environment: &Environment, warnings: &mut Vec<Warning>) -> Option<Settings> {
    let listen = root.required("listen", "an address to listen on, such as \"127.0.0.1:8080\"", socket_address);
    let issuer = root.required("issuer", "the broker's URL as devices see it, such as https://broker.example", issuer);
    let admin_listen = root.optional("admin_listen", socket_address);
    if listen.is_some_and(|listen| listen.port() != 0 && admin_listen == Some(listen)) {
        let advice = "metrics are not for devices, so give them another port";
        root.note("admin_listen", Problem::Conflict { with: "the same address in listen", advice });
    }
    let trusted_proxies = root.list("trusted_proxies", network);
    let tls = tls(root, issuer.as_ref(), environment, warnings);
    let obs = root.table("obs").as_ref().map(obs);
    let clients = clients(root);
    if obs.is_none() && root.is_empty_list("clients") {
        root.note("", Problem::Missing { expected: "[obs] or [[clients]], because nobody could use the broker" });
    }
    let rates = root.table("limits").as_ref().map_or_else(|| Some(Rates::default()), rates);
    let mode = mode(root, warnings);
    let restream = restream(root, issuer.as_ref(), environment, warnings);

    if let (Some(listen), false) = (listen, root.has("tls_cert")) {
        if !listen.ip().to_canonical().is_loopback() {
            warnings.push(Warning::PlainHttp);
        }
        if issuer.as_ref().is_some_and(Origin::is_https) && trusted_proxies.is_empty() {
            warnings.push(Warning::UnnamedProxy);
        }
    }
    if obs.is_some() && matches!(mode, Some(Mode::Relay)) {
        let advice = "OBS keeps the first refresh token that it gets, and Restream replaces it at each refresh. Set mode to \
                      \"handle\", or remove [obs]";
        root.note("obs", Problem::Conflict { with: "mode \"relay\"", advice });
    }
    Some(Settings {
        listen: listen?,
        issuer: issuer?,
        admin_listen,
        mode: mode?,
        trusted_proxies,
        tls,
        restream: restream?,
        // A door whose table holds a fault is no door.
        obs: obs.flatten(),
        clients,
        rates: rates?,
    })
}

fn socket_address(value: &DeValue<'_>) -> Result<SocketAddr, Problem> {
    let text = text(value)?;
    let expected = "an IP address and a port, such as \"127.0.0.1:8080\" or \"[::]:8080\"";
    text.parse().map_err(|_| unusable(expected, text))
}

fn issuer(value: &DeValue<'_>) -> Result<Origin, Problem> {
    let text = text(value)?;
    let origin = origin(text)?;
    // Who answers for the name is the resolver's decision, and devices send their handles there.
    let is_a_name = text == "http://localhost" || text.starts_with("http://localhost:");
    if is_a_name { Err(unusable("https, or http on a literal 127.0.0.1 or [::1]", text)) } else { Ok(origin) }
}

fn origin(text: &str) -> Result<Origin, Problem> {
    text.parse().map_err(|problem| Problem::Origin { problem, came: shown(text) })
}

/// An address, or a network in which no bit after its prefix is set: else it is not clear what was meant. A network of
/// IPv4 addresses must not be written in IPv6, because addresses are compared in their own form.
fn network(text: &str) -> Result<IpNet, Problem> {
    let expected = "an IP address or a network such as \"10.0.0.0/8\", but not of all addresses";
    let address = || text.parse().ok().map(|address: IpAddr| IpNet::from(address.to_canonical()));
    let network = text.parse().ok().or_else(address);
    let is_clear = |network: &IpNet| {
        let (first, written) = (network.network(), network.addr());
        written == first && first == first.to_canonical() && network.prefix_len() > 0
    };
    network.filter(is_clear).ok_or_else(|| unusable(expected, text))
}

fn mode(root: &Table<'_>, warnings: &mut Vec<Warning>) -> Option<Mode> {
    let is_relay = |value: &DeValue<'_>| match text(value)? {
        "handle" => Ok(false),
        "relay" => Ok(true),
        other => Err(unusable("\"handle\" or \"relay\"", other)),
    };
    let is_relay = if root.has("mode") { root.optional("mode", is_relay) } else { Some(false) };
    let table = root.table("store");
    let store = table.as_ref().and_then(store);
    if is_relay? {
        warnings.extend(store.map(|_| Warning::RelayStoresNothing));
        return Some(Mode::Relay);
    }
    if table.is_none() {
        let expected = "[store] with path, or kind = \"postgres\" and url";
        root.note("store", Problem::Missing { expected });
    }
    store.map(Mode::Handle)
}

fn store(table: &Table<'_>) -> Option<Store> {
    let known = |value: &DeValue<'_>| match text(value)? {
        "file" => Ok(true),
        "postgres" => Ok(false),
        other => Err(unusable("\"file\" or \"postgres\"", other)),
    };
    let is_file = if table.has("kind") { table.optional("kind", known)? } else { true };
    let (kind, foreign) = if is_file { ("kind \"file\"", "url") } else { ("kind \"postgres\"", "path") };
    if table.has(foreign) {
        table.note(foreign, Problem::Conflict { with: kind, advice: "remove one of the two" });
    }
    if is_file {
        return table.required("path", "a folder for the grants", path).map(Store::File);
    }
    let database = |value: &DeValue<'_>| Config::from_url(text(value)?).map(Box::new).map_err(Problem::Database);
    table.required("url", "a URL such as \"postgres://broker@db.example/app\"", database).map(Store::Postgres)
}

fn obs(table: &Table<'_>) -> Option<ObsDoor> {
    if table.has("prefix") {
        table.optional("prefix", prefix)
    } else {
        prefix(&DeValue::String(OBS_PREFIX.into())).ok()
    }
}

/// OBS takes every URL below its base for an answer, and reads a code out of it. So the broker's own paths must not be
/// there, above all not the one to which Restream sends its code.
fn prefix(value: &DeValue<'_>) -> Result<ObsDoor, Problem> {
    let text = text(value)?;
    let expected = "a path with a slash at both ends, such as \"/obs/\", that holds none of the broker's own paths";
    let is_plain = |segment: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        !matches!(segment, "" | "." | "..") && segment.bytes().all(is_plain)
    };
    let segments = text.strip_prefix('/').and_then(|text| text.strip_suffix('/')).unwrap_or_default();
    let is_own = segments.split('/').next().is_some_and(|first| OWN_PATHS.contains(&first));
    if is_own || !segments.split('/').all(is_plain) {
        return Err(unusable(expected, text));
    }
    Ok(ObsDoor { prefix: text.into() })
}

fn clients(root: &Table<'_>) -> Vec<RegisteredClient> {
    let mut clients: Vec<RegisteredClient> = Vec::new();
    let mut places: Vec<(Box<str>, String)> = Vec::new();
    for table in root.tables("clients") {
        let id = table.required("id", "an identifier for the client, such as \"overlay\"", identifier);
        if let Some(id) = &id {
            if let Some((_, first)) = places.iter().find(|(known, _)| known == id) {
                table.note("id", Problem::Twice { first: first.as_str().into() });
            }
            places.push((id.clone(), table.path("id")));
        }
        let redirect_uri =
            |text: &str| RedirectUri::new(text).map_err(|problem| Problem::RedirectUri { problem, came: shown(text) });
        let redirect_uris = table.list("redirect_uris", redirect_uri);
        // An element that cannot be used is a fault already.
        if table.is_empty_list("redirect_uris") {
            table.note("redirect_uris", Problem::Missing { expected: "one URI or more to send the browser back to" });
        }
        let origins = table.list("origins", origin);
        clients.extend(id.map(|id| RegisteredClient { id, redirect_uris, origins }));
    }
    clients
}

/// The name `obs` is that of the door for OBS, in lists of devices and in logs.
fn identifier(value: &DeValue<'_>) -> Result<Box<str>, Problem> {
    let text = text(value)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    if (1..=64).contains(&text.len()) && text.bytes().all(is_plain) && text != "obs" {
        return Ok(text.into());
    }
    Err(unusable("1 to 64 letters (of ASCII), digits and . _ ~ -, but not \"obs\"", text))
}

fn rates(table: &Table<'_>) -> Option<Rates> {
    let rate = |key, unless_set| {
        let read = |value: &DeValue<'_>| {
            let number = number(value, LARGEST_RATE, "a whole number of requests a second, from 1 to 100000")?;
            Ok(NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN))
        };
        if table.has(key) { table.optional(key, read) } else { Some(unless_set) }
    };
    let default = Rates::default();
    let (per_device, per_address) = (rate("per_device", default.per_device), rate("per_address", default.per_address));
    Some(Rates { per_device: per_device?, per_address: per_address? })
}

/// The application at Restream. The core checks each part of it.
fn restream(
    root: &Table<'_>,
    issuer: Option<&Origin>,
    environment: &Environment,
    warnings: &mut Vec<Warning>,
) -> Option<Client> {
    if !root.has("restream") {
        root.note("restream", Problem::Missing { expected: "[restream] with the client_id of the application" });
    }
    let table = root.table("restream")?;
    let callback = format!("{}/callback", issuer.map_or("https://broker.example", Origin::as_str));
    let checked = |builder: restream_oauth_core::ClientBuilder| builder.redirect_uri(callback.clone()).build();
    let client_id = table.required("client_id", "the application's client identifier", |value| {
        let text = text(value)?;
        checked(Client::builder(text)).map_err(|error| match error {
            ConfigError::ClientId(problem) => Problem::ClientId(problem),
            other => Problem::Client(other),
        })?;
        Ok(text.to_owned())
    });
    let endpoints = if table.has("base_url") {
        table.optional("base_url", |value| {
            let text = text(value)?;
            if text.contains('?') {
                return Err(unusable("a URL without a query", text));
            }
            let endpoints = Endpoints::at(text);
            checked(Client::builder("any").endpoints(endpoints.clone())).map_err(|error| match error {
                ConfigError::Endpoint { problem, .. } => Problem::Url { problem, came: shown(text) },
                other => Problem::Client(other),
            })?;
            Ok(endpoints)
        })
    } else {
        Some(Endpoints::at(RESTREAM))
    };
    let secret = secret(&table, environment, warnings).filter(|secret| {
        let refused = checked(Client::builder("any").secret(secret.as_str())).err();
        match &refused {
            Some(ConfigError::ClientSecret(problem)) => table.note(SECRET_FILE, Problem::ClientSecret(*problem)),
            Some(other) => table.note(SECRET_FILE, Problem::Client(other.clone())),
            None => {}
        }
        refused.is_none()
    });
    let client = checked(Client::builder(client_id?).secret(secret?.as_str()).endpoints(endpoints?));
    client.map_err(|error| table.note("", Problem::Client(error))).ok()
}

const SECRET_FILE: &str = "client_secret_file";

/// The secret, from exactly one of the two places that may hold it. An empty variable counts as unset.
fn secret(table: &Table<'_>, environment: &Environment, warnings: &mut Vec<Warning>) -> Option<Zeroizing<String>> {
    let note = |problem| table.note(SECRET_FILE, problem);
    let variable = environment.client_secret.as_ref().filter(|secret| !secret.is_empty());
    match (table.has(SECRET_FILE), variable) {
        (true, Some(_)) => note(Problem::TwoSecrets),
        (false, None) => note(Problem::NoSecret),
        (false, Some(variable)) => match variable.to_str() {
            Some(secret) => return Some(Zeroizing::new(secret.to_owned())),
            None => note(Problem::SecretNotUtf8),
        },
        (true, None) => {
            let file = table.optional(SECRET_FILE, |value| {
                let path = text(value)?;
                (environment.read_file)(Path::new(path)).map_err(Problem::SecretFile)
            })?;
            if file.others_have_rights {
                warnings.push(Warning::SecretReadable);
            }
            return Some(file.secret);
        }
    }
    None
}
