//! What the core takes from its platform: the time, and randomness. And how this crate speaks to it: by the names of
//! members, because each one that is imported instead costs a page 70 bytes.

use std::fmt;
use std::time::{Duration, SystemTime};

use js_sys::{Array, Date, Function, Object, Reflect, Uint8Array};
use restream_oauth_core::Entropy;
use wasm_bindgen::{JsCast, JsValue};

/// The time, from JavaScript's `Date`: `SystemTime::now()` panics on this target.
pub fn now() -> SystemTime {
    let since_epoch = Duration::try_from_secs_f64(Date::now() / 1000.0).unwrap_or_default();
    SystemTime::UNIX_EPOCH.checked_add(since_epoch).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Fresh entropy for a [`Login`](restream_oauth_core::Login), from the platform's `crypto.getRandomValues`. There is no
/// second source.
///
/// # Errors
/// [`EntropyError`] if the platform has none, or fails. Do not go on with a login then.
pub fn entropy() -> Result<Entropy, EntropyError> {
    let random = Uint8Array::new_with_length(64);
    fill(&random).map_err(|_| EntropyError)?;
    let mut bytes = [0; 64];
    random.copy_to(&mut bytes);
    random.fill(0, 0, 64);
    Ok(Entropy::from(bytes))
}

fn fill(random: &Uint8Array) -> Result<(), JsValue> {
    // Node has no global of that name before version 20.
    call(&get(&global(), "crypto")?, "getRandomValues", random)?;
    Ok(())
}

/// The platform has no cryptographic randomness to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntropyError;

impl fmt::Display for EntropyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("crypto.getRandomValues is missing or fails: no login can be begun safely")
    }
}

impl std::error::Error for EntropyError {}

/// A window's, a worker's, or whatever else the module runs in.
pub(crate) fn global() -> Object {
    js_sys::global()
}

/// A function of the global object, or a class.
pub(crate) fn global_function(name: &str) -> Result<Function, JsValue> {
    get(&global(), name)?.dyn_into()
}

/// A member. Of what is no object it is an error, not a trap.
pub(crate) fn get(object: &JsValue, member: &str) -> Result<JsValue, JsValue> {
    Reflect::get(object, &member.into())
}

/// Sets a member of an object that is ours.
pub(crate) fn set(object: &JsValue, member: &str, value: impl Into<JsValue>) {
    // Fails on frozen objects only.
    let _ = Reflect::set(object, &member.into(), &value.into());
}

/// Calls a method. One that takes no argument takes `undefined` for none.
pub(crate) fn call(object: &JsValue, method: &str, argument: &JsValue) -> Result<JsValue, JsValue> {
    get(object, method)?.dyn_into::<Function>()?.call1(object, argument)
}

/// `new`, for a class of the global object.
pub(crate) fn construct(class: &str, arguments: &Array) -> Result<JsValue, JsValue> {
    Reflect::construct(&global_function(class)?, arguments)
}
