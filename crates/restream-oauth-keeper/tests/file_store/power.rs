//! What a crash of the machine may leave, at each moment of a rotation, a login and a logout.
//!
//! The test records the system calls of a process, and builds every disk that a crash may leave: a name is durable once
//! its folder was synced, the content of a file once the file was synced. Of everything else any part may be there.

use std::collections::{BTreeMap, BTreeSet};

use restream_oauth_keeper::{Spooled, Stored};

use crate::child::{self, said, traced};
use crate::crashes::judge;
use crate::support::{Folder, Shelf, answer, grant, login, strace_is_there, tokens};

/// A system call that changes the disk, or the end of an operation of the store.
enum Step {
    Create(String),
    MakeFolder(String),
    Write(String, Vec<u8>),
    Rewind(String),
    SyncFile(String),
    SyncFolder(String),
    Rename(String, String),
    Remove(String),
    Done(String),
}

/// Runs a script in the folder, and returns what it did to the disk.
fn record(folder: &Folder, script: &str) -> Vec<Step> {
    let (marks, log) = (Folder::new(), Folder::new());
    let path = log.0.join("log");
    let calls = "trace=openat,write,lseek,fsync,fdatasync,rename,unlink,mkdir,rmdir,ftruncate,copy_file_range,pwrite64";
    let command = child::command(&folder.0, &marks, script);
    let arguments = ["-o", path.to_str().unwrap(), "-xx", "-s", "1000000", "-e", calls];
    said(&traced(&command, &arguments).output().unwrap());
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().filter_map(|line| step(line, folder, &marks)).collect()
}

/// Reads one line of strace. It spells paths and data in hexadecimal, so that quotes and brackets only delimit.
fn step(line: &str, folder: &Folder, marks: &Folder) -> Option<Step> {
    let (name, arguments) = line.split_once(' ')?.1.trim_start().split_once('(')?;
    if line.contains(" = -1 ") {
        return None;
    }
    let quoted: Vec<Vec<u8>> = arguments.split('"').skip(1).step_by(2).map(decode).collect();
    let text = |index: usize| String::from_utf8(quoted.get(index)?.clone()).ok();
    let descriptor = || {
        let path = decode(arguments.split_once('<')?.1.split_once('>')?.0);
        let path = String::from_utf8(path).ok()?;
        Some(path.strip_prefix(folder.0.to_str()?)?.trim_start_matches('/').to_owned())
    };
    // The child works in the folder, so that names are relative.
    let ours = || text(0).filter(|path| path.starts_with("default.json"));
    match name {
        "openat" => match text(0)?.strip_prefix(marks.0.to_str()?) {
            Some(mark) => Some(Step::Done(mark.trim_start_matches('/').to_owned())),
            None if arguments.contains("O_CREAT") && arguments.contains("O_EXCL") => ours().map(Step::Create),
            None => None,
        },
        "mkdir" => ours().map(Step::MakeFolder),
        "write" => Some(Step::Write(descriptor()?, quoted.first()?.clone())),
        "lseek" => {
            assert!(arguments.contains("0, SEEK_SET"), "{line}");
            descriptor().map(Step::Rewind)
        }
        "fsync" | "fdatasync" => descriptor().map(|path| {
            if path.is_empty() || path.ends_with(".logins") { Step::SyncFolder(path) } else { Step::SyncFile(path) }
        }),
        "rename" => Some(Step::Rename(ours()?, text(1)?)),
        "unlink" | "rmdir" => ours().map(Step::Remove),
        _ => panic!("this test does not know {line}"),
    }
}

fn decode(text: &str) -> Vec<u8> {
    text.split("\\x").skip(1).map(|digits| u8::from_str_radix(&digits[..2], 16).unwrap()).collect()
}

/// A file or a folder, whatever its names are.
#[derive(Clone, Default)]
struct Node {
    is_folder: bool,
    visible: Vec<u8>,
    durable: Vec<u8>,
    offset: usize,
}

impl Node {
    /// What a crash may leave of the content.
    fn remains(&self) -> Vec<Vec<u8>> {
        let (old, new) = (&self.durable, &self.visible);
        if old == new {
            return vec![new.clone()];
        }
        // Half of what was changed.
        let end = (0..new.len()).rev().find(|at| old.get(*at) != new.get(*at)).unwrap_or(0);
        let mut half = new[..end / 2].to_vec();
        half.extend(old.iter().skip(half.len()));
        vec![old.clone(), new.clone(), half, vec![0; new.len()]]
    }
}

/// A change of a folder that is not durable yet.
#[derive(Clone)]
enum Change {
    Link(String, usize),
    Unlink(String),
    Move(String, String, usize),
}

/// The names on a disk, with their contents. `None` is a folder.
type Contents = Vec<(String, Option<Vec<u8>>)>;

/// A disk as processes see it, and as it would be after a crash.
#[derive(Clone, Default)]
struct Disk {
    nodes: Vec<Node>,
    names: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    pending: Vec<Change>,
}

impl Disk {
    fn of(folder: &Folder) -> Self {
        let mut disk = Self::default();
        for name in folder.names() {
            let bytes = std::fs::read(folder.0.join(&name)).unwrap();
            disk.nodes.push(Node { visible: bytes.clone(), durable: bytes, ..Node::default() });
            disk.names.insert(name, disk.nodes.len() - 1);
        }
        disk.durable = disk.names.clone();
        disk
    }

    fn change(&mut self, change: Change) {
        apply(&mut self.names, &change);
        self.pending.push(change);
    }

    fn node(&mut self, name: &str) -> &mut Node {
        let index = self.names[name];
        &mut self.nodes[index]
    }

    fn execute(&mut self, step: &Step) {
        match step {
            Step::Create(name) | Step::MakeFolder(name) => {
                self.nodes.push(Node { is_folder: matches!(step, Step::MakeFolder(_)), ..Node::default() });
                self.change(Change::Link(name.clone(), self.nodes.len() - 1));
            }
            Step::Write(name, bytes) => {
                let node = self.node(name);
                let end = node.offset + bytes.len();
                node.visible.resize(node.visible.len().max(end), 0);
                node.visible[node.offset..end].copy_from_slice(bytes);
                node.offset = end;
            }
            Step::Rewind(name) => self.node(name).offset = 0,
            Step::SyncFile(name) => {
                let node = self.node(name);
                node.durable = node.visible.clone();
            }
            Step::SyncFolder(folder) => {
                let pending = std::mem::take(&mut self.pending);
                for change in pending {
                    if folder_of(&change) == folder {
                        apply(&mut self.durable, &change);
                    } else {
                        self.pending.push(change);
                    }
                }
            }
            Step::Rename(from, to) => {
                let node = self.names[from];
                self.change(Change::Move(from.clone(), to.clone(), node));
            }
            Step::Remove(name) => self.change(Change::Unlink(name.clone())),
            Step::Done(_) => {}
        }
    }

    /// What processes see.
    fn visible(&self) -> Contents {
        let content = |node: &Node| (!node.is_folder).then(|| node.visible.clone());
        self.names.iter().map(|(name, node)| (name.clone(), content(&self.nodes[*node]))).collect()
    }

    /// Every disk that a crash may leave now.
    fn after_a_crash(&self) -> BTreeSet<Contents> {
        assert!(self.pending.len() <= 10, "too many changes to try each part of them");
        let mut disks = BTreeSet::new();
        for part in 0..1_usize << self.pending.len() {
            let mut names = self.durable.clone();
            for (index, change) in self.pending.iter().enumerate() {
                if part >> index & 1 == 1 {
                    apply(&mut names, change);
                }
            }
            let mut contents = vec![Vec::new()];
            for (name, node) in names {
                let node = &self.nodes[node];
                let remains =
                    if node.is_folder { vec![None] } else { node.remains().into_iter().map(Some).collect::<Vec<_>>() };
                contents = contents
                    .iter()
                    .flat_map(|disk: &Vec<_>| {
                        remains.iter().map(|content| [&disk[..], &[(name.clone(), content.clone())]].concat())
                    })
                    .collect();
            }
            disks.extend(contents);
        }
        disks
    }
}

fn folder_of(change: &Change) -> &str {
    let (Change::Link(name, _) | Change::Unlink(name) | Change::Move(name, ..)) = change;
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn apply(names: &mut BTreeMap<String, usize>, change: &Change) {
    match change {
        Change::Link(name, node) => drop(names.insert(name.clone(), *node)),
        Change::Unlink(name) => drop(names.remove(name)),
        Change::Move(from, to, node) => {
            names.remove(from);
            names.insert(to.clone(), *node);
        }
    }
}

/// Writes a disk into a folder.
fn materialize(disk: &Contents) -> Folder {
    let folder = Folder::in_memory();
    for (name, content) in disk {
        let lost = name.rsplit_once('/').is_some_and(|(parent, _)| !folder.0.join(parent).is_dir());
        match content {
            _ if lost => {}
            None => std::fs::create_dir(folder.0.join(name)).unwrap(),
            Some(bytes) => folder.write(name, bytes),
        }
    }
    folder
}

/// Runs a script in a folder, and shows each disk that a crash may leave to a judge, with the marks of the operations
/// that were done. Returns the number of disks.
fn crash_everywhere(folder: &Folder, script: &str, judge: impl FnMut(&Contents, &[String], &str)) -> usize {
    let disk = Disk::of(folder);
    crash_in(disk, &record(folder, script), folder, judge)
}

/// Executes recorded steps on a disk.
fn crash_in(
    mut disk: Disk,
    steps: &[Step],
    folder: &Folder,
    mut judge: impl FnMut(&Contents, &[String], &str),
) -> usize {
    let mut marks = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, step) in steps.iter().enumerate() {
        disk.execute(step);
        if let Step::Done(mark) = step {
            marks.push(mark.clone());
        }
        for after in disk.after_a_crash() {
            if seen.insert((after.clone(), marks.len())) {
                let names: Vec<_> = after.iter().map(|(name, _)| name.as_str()).collect();
                judge(&after, &marks, &format!("crash after step {index}, with {names:?}"));
            }
        }
    }
    let names: BTreeSet<_> = folder.names().into_iter().collect();
    assert_eq!(disk.names.keys().cloned().collect::<BTreeSet<_>>(), names, "every step was understood");
    for name in folder.names() {
        let expected = std::fs::read(folder.0.join(&name)).unwrap();
        assert!(disk.node(&name).visible == expected, "every step was understood: {name}");
    }
    seen.len()
}

/// A process is killed, which loses nothing that is visible. Another one recovers, and then the machine crashes: what
/// the first one had not synced is lost, unless the second one synced it.
#[test]
fn a_crash_of_the_machine_after_a_process_was_killed_and_another_one_recovered_loses_nothing() {
    if !strace_is_there() {
        return;
    }
    let folder = folder_with(&[("default.json", login("1").to_saved().to_string())]);
    let mut disk = Disk::of(&folder);
    let (mut first, mut disks) = (Vec::new(), 0);
    let steps = record(&folder, "rotate");
    for (index, step) in steps.iter().enumerate() {
        disk.execute(step);
        if let Step::Done(mark) = step {
            first.push(mark.clone());
            continue;
        }
        let second = materialize(&disk.visible());
        let answer = answer(login("1").parent());
        let answered = std::fs::read(second.0.join("default.json.spool"))
            .is_ok_and(|bytes| Spooled::from_saved(bytes).is_ok_and(|spooled| spooled == answer));
        let recovery = record(&second, "recover");
        let end = Shelf::at(&second.0).look().stored;
        let commits = recovery.iter().any(|step| matches!(step, Step::Done(mark) if mark == "commit"));
        disks += crash_in(disk.clone(), &recovery, &second, |disk, more, place| {
            let place = format!("killed after step {index}; {place}");
            let found = Shelf::at(&materialize(disk).0).look();
            judge(&found, &[&first[..], more].concat(), &place);
            if more.contains(&"claim".to_owned()) && !commits {
                // What a claim returns is durable, also if another process wrote it.
                assert_eq!(found.stored, end, "{place}");
            }
            if more.contains(&"claim".to_owned()) && answered {
                let stored = found.stored.record().is_some_and(|record| record.generation == 1);
                assert!(stored || found.spooled == [answer.clone()], "{place}: an answer that was returned is lost");
            }
        });
    }
    assert!(disks >= 200, "{disks} disks");
}

/// A folder with a lock file and these files.
fn folder_with(files: &[(&str, String)]) -> Folder {
    let folder = Folder::new();
    folder.write("default.json.lock", "");
    for (name, text) in files {
        folder.write(name, text);
    }
    folder
}

#[test]
fn a_crash_of_the_machine_anywhere_in_a_rotation_and_in_its_recovery_loses_nothing() {
    if !strace_is_there() {
        return;
    }
    let folder = folder_with(&[("default.json", login("1").to_saved().to_string())]);
    let (mut recoveries, mut again) = (BTreeSet::new(), 0);
    let disks = crash_everywhere(&folder, "rotate", |disk, marks, place| {
        judge(&Shelf::at(&materialize(disk).0).look(), marks, place);
        if recoveries.insert(disk.clone()) {
            let left = materialize(disk);
            again += crash_everywhere(&left, "recover", |disk, more, second| {
                let marks = [marks, more].concat();
                judge(&Shelf::at(&materialize(disk).0).look(), &marks, &format!("{place}; {second}"));
            });
            let end = Shelf::at(&left.0).look();
            assert!(end.spooled.is_empty() && end.logins.is_empty(), "{place}: {end:?}");
            let generation = end.stored.record().unwrap().generation;
            assert!(generation == 1 || !marks.contains(&"prepare".to_owned()), "{place}: {end:?}");
        }
    });
    assert!(disks >= 40 && again >= 400, "{disks} disks, {again} in recoveries");
}

#[test]
fn a_crash_of_the_machine_anywhere_in_a_login_loses_no_login_that_was_stashed() {
    if !strace_is_there() {
        return;
    }
    let tombstone_1 = Stored::Tombstone(login("1").tombstone());
    let cases = [
        (Stored::Nothing, vec![]),
        (grant(&login("1")), vec![("default.json", login("1").to_saved().to_string())]),
        (tombstone_1, vec![("default.json.gone", login("1").tombstone().to_saved())]),
    ];
    for (stored, before) in cases {
        let disks = crash_everywhere(&folder_with(&before), "log in", |disk, marks, place| {
            let folder = materialize(disk);
            let done = |name: &str| marks.iter().any(|mark| mark == name);
            let shelf = Shelf::at(&folder.0);
            let read = shelf.read();
            let found = shelf.look();
            let place = format!("{place} over {stored:?}: {found:?}");
            let is_stored = found.stored.record().is_some_and(|record| record.tokens == tokens("login"));
            assert!(is_stored || found.stored == stored, "{place}");
            assert!(is_stored || read == found.stored, "{place}");
            assert!(!done("insert") || is_stored, "{place}");
            assert!(!done("stash") || is_stored || found.logins == [tokens("login")], "{place}");
        });
        assert!(disks >= 20, "{disks} disks");
    }
}

#[test]
fn a_crash_of_the_machine_anywhere_in_a_logout_leaves_the_grant_or_its_tombstone() {
    if !strace_is_there() {
        return;
    }
    let folder = folder_with(&[("default.json", login("1").to_saved().to_string())]);
    let disks = crash_everywhere(&folder, "log out", |disk, marks, place| {
        let folder = materialize(disk);
        let shelf = Shelf::at(&folder.0);
        let read = shelf.read();
        let found = shelf.look();
        assert_eq!(read, found.stored, "{place}: reading sees what a claim sees");
        if found.stored != Stored::Tombstone(login("1").tombstone()) {
            assert_eq!(found.stored, grant(&login("1")), "{place}");
            assert!(!marks.contains(&"forget".to_owned()), "{place}: the tombstone is lost");
        }
    });
    assert!(disks >= 10, "{disks} disks");
}
