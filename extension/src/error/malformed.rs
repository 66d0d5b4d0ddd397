//! Malformed arguments: SE003.

use serde_json::{Value, json};
use std::borrow::Cow;

/// What is wrong with an argument. `reason` completes the sentence "`argument` …".
#[derive(Debug)]
pub struct Malformed {
    argument: Cow<'static, str>,
    index: Option<usize>,
    field: Option<String>,
    reason: String,
    /// What else the DETAIL has.
    more: Vec<(&'static str, Value)>,
}

impl Malformed {
    /// `reason` completes the sentence "`argument` …".
    pub fn argument(argument: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> Self {
        Self {
            argument: argument.into(),
            index: None,
            field: None,
            reason: reason.into(),
            more: Vec::new(),
        }
    }

    /// Names the element of the argument, from 0.
    pub fn at(mut self, index: usize) -> Self {
        self.index = Some(index);
        self
    }

    /// Names the key within the element.
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Adds a key to the DETAIL.
    pub fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.more.push((key, value.into()));
        self
    }

    pub(super) fn argument_name(&self) -> &str {
        &self.argument
    }

    pub(super) fn message(&self) -> String {
        let mut place = self.argument.to_string();
        if let Some(index) = self.index {
            place.push_str(&format!("[{index}]"));
        }
        if let Some(field) = &self.field {
            place.push_str(&format!(".{field}"));
        }
        format!("{place} {}", self.reason)
    }

    pub(super) fn detail(&self) -> Value {
        let mut detail = json!({ "argument": self.argument, "reason": self.reason });
        if let Some(index) = self.index {
            detail["index"] = index.into();
        }
        if let Some(field) = &self.field {
            detail["field"] = field.as_str().into();
        }
        for (key, value) in &self.more {
            detail[key] = value.clone();
        }
        detail
    }
}
