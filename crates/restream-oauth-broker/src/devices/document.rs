//! The document of a device, as both stores keep it: one line of JSON.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::device::{Code, CodeBinding, Device, Owner, Stage};
use super::key::{DeviceId, Hash};
use super::operation::DevicesError;

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    revision: u64,
    /// Absent at OBS's door.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    created_at: u64,
    last_used_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    given: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    stage: StageDocument,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StageDocument {
    Code(CodeDocument),
    Handle { hash: String, code: CodeDocument, redeemed_at: u64 },
    Ended,
}

#[derive(Serialize, Deserialize)]
struct CodeDocument {
    hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code_challenge: Option<String>,
}

/// Writes a device. The text has no newline but the one at its end.
pub(super) fn write(device: &Device) -> String {
    let document = Document {
        version: VERSION,
        revision: device.revision,
        client_id: match &device.owner {
            Owner::Obs => None,
            Owner::Client(id) => Some(id.clone()),
        },
        scope: device.scope.clone(),
        created_at: seconds(device.created_at),
        last_used_at: seconds(device.last_used_at),
        given: device.given.map(Hash::to_text),
        generation: device.generation,
        stage: match &device.stage {
            Stage::Code(code) => StageDocument::Code(write_code(code)),
            Stage::Handle { handle, code, redeemed_at } => StageDocument::Handle {
                hash: handle.to_text(),
                code: write_code(code),
                redeemed_at: seconds(*redeemed_at),
            },
            Stage::Ended => StageDocument::Ended,
        },
    };
    // Numbers and text alone: nothing that could fail.
    let mut line = serde_json::to_string(&document).unwrap_or_default();
    line.push('\n');
    line
}

fn write_code(code: &Code) -> CodeDocument {
    CodeDocument {
        hash: code.hash.to_text(),
        redirect_uri: code.binding.as_ref().map(|binding| binding.redirect_uri.clone()),
        code_challenge: code.binding.as_ref().map(|binding| binding.code_challenge.clone()),
    }
}

/// Reads what [`write`] wrote. The name of the file, or the key of the row, is the identifier.
pub(super) fn read(id: DeviceId, bytes: &[u8]) -> Result<Device, DevicesError> {
    let damaged = |reason| DevicesError::Damaged { id, reason };
    let document: Document =
        serde_json::from_slice(bytes).map_err(|_| damaged("expected one line of JSON with the members of a device"))?;
    if document.version != VERSION {
        return Err(damaged("it is of another version of this program"));
    }
    let hash = |text: &str| Hash::from_text(text).ok_or_else(|| damaged("a hash is not 64 hexadecimal digits"));
    let time =
        |seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).ok_or_else(|| damaged("a time is out of range"));
    let code = |code: CodeDocument| {
        Ok(Code {
            hash: hash(&code.hash)?,
            binding: match (code.redirect_uri, code.code_challenge) {
                (None, None) => None,
                (Some(redirect_uri), Some(code_challenge)) => Some(CodeBinding { redirect_uri, code_challenge }),
                _ => return Err(damaged("expected both a redirect URI and a challenge, or neither")),
            },
        })
    };
    Ok(Device {
        id,
        revision: document.revision,
        owner: document.client_id.map_or(Owner::Obs, Owner::Client),
        scope: document.scope,
        created_at: time(document.created_at)?,
        last_used_at: time(document.last_used_at)?,
        given: document.given.as_deref().map(hash).transpose()?,
        generation: document.generation,
        stage: match document.stage {
            StageDocument::Code(own) => Stage::Code(code(own)?),
            StageDocument::Handle { hash: handle, code: own, redeemed_at } => {
                Stage::Handle { handle: hash(&handle)?, code: code(own)?, redeemed_at: time(redeemed_at)? }
            }
            StageDocument::Ended => Stage::Ended,
        },
    })
}

/// Whole seconds. A time before 1970 counts as 1970.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::Key;

    fn devices() -> Vec<Device> {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let code = Key::new(DeviceId::from([1; 16]), [2; 32]);
        let binding = CodeBinding { redirect_uri: "https://a.example/\"é".into(), code_challenge: "c".repeat(43) };
        let owner = Owner::Client("over lay".into());
        let with_code = Device::new(&code, owner, Some(binding), Some("a b".into()), at(5));
        let mut with_handle = Device::new(&code, Owner::Obs, None, None, at(6));
        let handle = Key::new(code.id(), [3; 32]);
        with_handle.redeem(&code, &Owner::Obs, None, &handle, at(7));
        with_handle.note_use(Hash::of("token"), 2, at(8));
        let mut ended = with_handle.clone();
        ended.end();
        ended.revision = 3;
        vec![with_code, with_handle, ended]
    }

    #[test]
    fn a_device_survives_its_document() {
        for device in devices() {
            assert_eq!(read(device.id, write(&device).as_bytes()).unwrap(), device);
        }
    }

    #[test]
    fn a_torn_document_is_no_device_wherever_it_is_torn() {
        for device in devices() {
            let line = write(&device);
            for end in 0..line.len() - 1 {
                assert!(read(device.id, &line.as_bytes()[..end]).is_err(), "{end}");
            }
        }
    }

    #[test]
    fn a_document_of_a_newer_version_is_not_guessed_at() {
        let [device, ..] = &devices()[..] else { panic!() };
        let text = write(device).replacen("\"version\":1", "\"version\":2", 1);
        let error = read(device.id, text.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("another version"), "{error}");
    }

    #[test]
    fn a_document_holds_no_secret() {
        let [_, device, _] = &devices()[..] else { panic!() };
        let text = write(device);
        for secret in ["02".repeat(32), "03".repeat(32)] {
            assert!(!text.contains(&secret), "{text}");
        }
    }
}
