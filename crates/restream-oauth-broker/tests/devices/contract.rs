//! What every store of devices does. Each part gets an empty store, as two processes have it.

use std::time::Duration;

use restream_oauth_broker::devices::{
    CODE_LIFE, Device, DeviceId, DeviceOp, DeviceOutcome, Devices, Hash, Key, LONGEST_IDLE, Owner, Redemption,
};

use crate::at;

/// The parts, in the order of their numbers.
pub(crate) const NAMES: [&str; 7] = ["stored", "revisions", "counted", "redeemed", "found", "listed", "due"];

/// Checks one part.
pub(crate) async fn check(number: usize, one: Devices, other: Devices) {
    match NAMES[number] {
        "stored" => a_device_is_there_until_it_is_removed(&one, &other).await,
        "revisions" => of_two_changes_of_the_same_revision_one_is_refused(&one, &other).await,
        "counted" => changes_of_many_at_once_are_all_counted(&one, &other).await,
        "redeemed" => a_code_is_redeemed_once_however_many_try(&one, &other).await,
        "found" => a_device_is_found_by_the_token_that_it_was_given_last(&one).await,
        "listed" => devices_are_listed_page_by_page(&one, &other).await,
        _ => what_is_due_is_found(&one, &other).await,
    }
}

fn code(number: u8) -> Key {
    Key::new(DeviceId::from([number; 16]), [1; 32])
}

fn device(number: u8) -> Device {
    Device::new(&code(number), Owner::Client("over \"lay\" é".into()), None, Some("a b".into()), at(0))
}

fn redeemed(number: u8) -> Device {
    let mut device = device(number);
    let handle = Key::new(device.id, [2; 32]);
    let owner = device.owner.clone();
    assert_eq!(device.redeem(&code(number), &owner, None, &handle, at(1)), Redemption::Granted);
    device
}

async fn insert(devices: &Devices, device: &Device) {
    let outcome = devices.run(DeviceOp::Insert(Box::new(device.clone()))).await.unwrap();
    assert!(matches!(outcome, DeviceOutcome::Done), "{outcome:?}");
}

async fn read(devices: &Devices, id: DeviceId) -> Option<Device> {
    match devices.run(DeviceOp::Read(id)).await.unwrap() {
        DeviceOutcome::Device(device) => device.map(|device| *device),
        other => panic!("{other:?}"),
    }
}

/// `Err` is what is stored instead.
async fn replace(devices: &Devices, device: &Device) -> Result<(), Option<Device>> {
    match devices.run(DeviceOp::Replace(Box::new(device.clone()))).await.unwrap() {
        DeviceOutcome::Done => Ok(()),
        DeviceOutcome::Changed(stored) => Err(stored.map(|stored| *stored)),
        other => panic!("{other:?}"),
    }
}

async fn remove(devices: &Devices, id: DeviceId) {
    let outcome = devices.run(DeviceOp::Remove(id)).await.unwrap();
    assert!(matches!(outcome, DeviceOutcome::Done), "{outcome:?}");
}

async fn a_device_is_there_until_it_is_removed(one: &Devices, other: &Devices) {
    insert(one, &device(1)).await;
    for devices in [one, other] {
        assert_eq!(read(devices, device(1).id).await, Some(device(1)));
        assert_eq!(read(devices, device(2).id).await, None);
    }
    remove(other, device(1).id).await;
    remove(other, device(1).id).await;
    assert_eq!(read(one, device(1).id).await, None);
}

async fn of_two_changes_of_the_same_revision_one_is_refused(one: &Devices, other: &Devices) {
    insert(one, &device(1)).await;
    let (mut mine, mut late) = (redeemed(1), device(1));
    late.end();
    assert_eq!(replace(one, &mine).await, Ok(()));
    let stored = replace(other, &late).await.unwrap_err().unwrap();
    mine.revision = 1;
    assert_eq!(stored, mine);
    let mut gone = device(2);
    gone.end();
    assert_eq!(replace(other, &gone).await, Err(None), "a device that was removed does not come back");
    assert_eq!(read(one, gone.id).await, None);
}

async fn changes_of_many_at_once_are_all_counted(one: &Devices, other: &Devices) {
    insert(one, &redeemed(1)).await;
    let tasks = [one, one, other, other].into_iter().zip(0_u64..).map(|(devices, task)| {
        let devices = devices.clone();
        tokio::spawn(async move {
            for number in 0..5 {
                loop {
                    let mut read = read(&devices, device(1).id).await.unwrap();
                    read.note_use(Hash::of(format!("{task} {number}")), task * 5 + number, at(2));
                    if replace(&devices, &read).await.is_ok() {
                        break;
                    }
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(read(one, device(1).id).await.unwrap().revision, 20);
}

async fn a_code_is_redeemed_once_however_many_try(one: &Devices, other: &Devices) {
    insert(one, &device(1)).await;
    let tasks = (0..8_u8).map(|number| {
        let devices = if number % 2 == 0 { one.clone() } else { other.clone() };
        tokio::spawn(async move {
            let mut device = read(&devices, code(1).id()).await.unwrap();
            let (owner, handle) = (device.owner.clone(), Key::new(device.id, [number; 32]));
            device.redeem(&code(1), &owner, None, &handle, at(1)) == Redemption::Granted
                && replace(&devices, &device).await.is_ok()
        })
    });
    let mut granted = 0;
    for task in tasks.collect::<Vec<_>>() {
        granted += u32::from(task.await.unwrap());
    }
    assert_eq!(granted, 1);
}

async fn a_device_is_found_by_the_token_that_it_was_given_last(devices: &Devices) {
    async fn find(devices: &Devices, token: &str) -> Option<DeviceId> {
        match devices.run(DeviceOp::Find(Hash::of(token))).await.unwrap() {
            DeviceOutcome::Device(device) => device.map(|device| device.id),
            other => panic!("{other:?}"),
        }
    }
    let mut one = redeemed(1);
    insert(devices, &one).await;
    insert(devices, &redeemed(2)).await;
    assert_eq!(find(devices, "a").await, None);
    for (token, revision) in [("a", 0), ("b", 1)] {
        one.revision = revision;
        one.note_use(Hash::of(token), revision, at(2));
        assert_eq!(replace(devices, &one).await, Ok(()));
        assert_eq!(find(devices, token).await, Some(one.id));
    }
    assert_eq!(find(devices, "a").await, None, "it was given another one since");
    remove(devices, one.id).await;
    assert_eq!(find(devices, "b").await, None);
}

async fn devices_are_listed_page_by_page(one: &Devices, other: &Devices) {
    for number in [3, 1, 5, 2, 4] {
        insert(one, &device(number)).await;
    }
    let (mut after, mut pages) = (None, Vec::new());
    loop {
        let outcome = other.run(DeviceOp::List { after, most: 2 }).await.unwrap();
        let DeviceOutcome::Listed { devices, damaged, next } = outcome else { panic!("{outcome:?}") };
        assert!(damaged.is_empty());
        pages.push(devices);
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages, [vec![device(1), device(2)], vec![device(3), device(4)], vec![device(5)]]);
}

async fn what_is_due_is_found(one: &Devices, other: &Devices) {
    async fn due(devices: &Devices, now: std::time::SystemTime, most: usize) -> Vec<DeviceId> {
        match devices.run(DeviceOp::Due { now, most }).await.unwrap() {
            DeviceOutcome::Listed { devices, .. } => {
                let mut ids: Vec<_> = devices.iter().map(|device| device.id).collect();
                ids.sort_unstable();
                ids
            }
            other => panic!("{other:?}"),
        }
    }
    let (with_code, with_handle, mut ended) = (device(1), redeemed(2), redeemed(3));
    for device in [&with_code, &with_handle, &ended] {
        insert(one, device).await;
    }
    assert_eq!(due(other, at(1), 9).await, []);
    ended.end();
    assert_eq!(replace(one, &ended).await, Ok(()));
    assert_eq!(due(other, at(1), 9).await, [ended.id]);
    let expired = at(0) + CODE_LIFE;
    assert_eq!(due(other, expired - Duration::from_secs(1), 9).await, [ended.id]);
    assert_eq!(due(other, expired, 9).await, [with_code.id, ended.id]);
    assert_eq!(due(other, expired, 1).await.len(), 1);
    // Up to a day late.
    let idle = at(1) + LONGEST_IDLE;
    assert_eq!(due(other, idle - Duration::from_secs(1), 9).await, [with_code.id, ended.id]);
    let a_day = Duration::from_secs(86_400);
    assert_eq!(due(other, idle + a_day, 9).await, [with_code.id, with_handle.id, ended.id]);
}
