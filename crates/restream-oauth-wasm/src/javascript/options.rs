//! Reads the arguments from JavaScript. A value of the wrong type or a misspelt member is an error, and is not ignored.

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::{JsCast, JsValue};

use super::errors;
use crate::platform::{get, whole_number};

/// Reads an argument that must be a string. JavaScript would turn an object into `[object Object]` and send that.
pub(super) fn text(name: &str, value: &JsValue) -> Result<String, JsValue> {
    value.as_string().ok_or_else(|| errors::wrong_type(name, "a string"))
}

/// Reads the members of an object. `undefined` counts as absent.
pub(super) struct Members<'a> {
    object: &'a Object,
    read: Vec<&'static str>,
}

impl<'a> Members<'a> {
    pub(super) fn of(name: &str, value: &'a JsValue) -> Result<Self, JsValue> {
        let object = value.dyn_ref().ok_or_else(|| errors::wrong_type(name, "an object"))?;
        Ok(Self { object, read: Vec::new() })
    }

    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, JsValue> {
        self.member(name)?.map(|value| text(name, &value)).transpose()
    }

    pub(super) fn choice(
        &mut self,
        name: &'static str,
        choices: [&'static str; 2],
    ) -> Result<Option<&'static str>, JsValue> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let chosen = choices.into_iter().find(|choice| *choice == text);
        let [one, other] = choices;
        chosen.map(Some).ok_or_else(|| errors::wrong_type(name, &format!("\"{one}\" or \"{other}\"")))
    }

    /// Reads a whole number that is not negative.
    pub(super) fn number(&mut self, name: &'static str) -> Result<Option<u64>, JsValue> {
        let Some(value) = self.member(name)? else { return Ok(None) };
        let whole = value.as_f64().and_then(whole_number);
        whole.map(Some).ok_or_else(|| errors::wrong_type(name, "a whole number below 2^53"))
    }

    pub(super) fn texts(&mut self, name: &'static str) -> Result<Vec<String>, JsValue> {
        let Some(value) = self.member(name)? else { return Ok(Vec::new()) };
        let array = value.dyn_into::<Array>().map_err(|_| errors::wrong_type(name, "an array of strings"))?;
        // A loop, because `collect` into a `Result` costs a page more.
        let mut texts = Vec::new();
        for value in array.iter() {
            texts.push(text(name, &value)?);
        }
        Ok(texts)
    }

    pub(super) fn pairs(&mut self, name: &'static str) -> Result<Vec<(String, String)>, JsValue> {
        let Some(value) = self.member(name)? else { return Ok(Vec::new()) };
        let object = value.dyn_into::<Object>().map_err(|_| errors::wrong_type(name, "an object of strings"))?;
        let mut pairs = Vec::new();
        for key in Object::keys(&object).iter() {
            pairs.push((text(name, &key)?, text(name, &Reflect::get(&object, &key)?)?));
        }
        Ok(pairs)
    }

    /// Fails if the object has a member that was not read: a misspelt `clientSecret` must not make a public client.
    pub(super) fn finish(self) -> Result<(), JsValue> {
        let known = |key: &String| self.read.contains(&key.as_str());
        match Object::keys(self.object).iter().filter_map(|key| key.as_string()).find(|key| !known(key)) {
            Some(unknown) => Err(errors::unknown_member(&unknown)),
            None => Ok(()),
        }
    }

    fn member(&mut self, name: &'static str) -> Result<Option<JsValue>, JsValue> {
        self.read.push(name);
        let value = get(self.object, name)?;
        Ok(Some(value).filter(|value| !value.is_undefined()))
    }
}
