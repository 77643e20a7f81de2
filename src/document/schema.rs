//! The JSON Schema of the model language, made from the table of its keys.

use super::language::{Form, Key, LAW, ROOT, STEPS, Section};
use serde_json::{Map, Value, json};

/// The schema of a whole model (draft 2020-12).
pub fn schema() -> Value {
    let mut schema = section(&ROOT);
    if let Some(map) = schema.as_object_mut() {
        map.insert("$schema".to_string(), json!("https://json-schema.org/draft/2020-12/schema"));
        map.insert("title".to_string(), json!("Plimsoll model"));
        map.insert(
            "$defs".to_string(),
            json!({
                "law": {
                    "description": "A law of a random time: a duration (exponential with that mean) or a table.",
                    "anyOf": [{ "type": "string", "examples": ["6ms"] }, section(&LAW)],
                },
                "step": {
                    "description": "One step of an operation.",
                    "anyOf": STEPS.iter().map(step).collect::<Vec<_>>(),
                },
                "uncertain": {
                    "type": "object",
                    "description": "A range with its most likely value.",
                    "required": ["low", "likely", "high"],
                    "properties": { "low": {}, "likely": {}, "high": {} },
                },
            }),
        );
    }
    schema
}

fn section(section: &Section) -> Value {
    let properties: Map<String, Value> = section.keys.iter().map(|key| (key.name.to_string(), property(key))).collect();
    json!({
        "type": "object",
        "description": section.meaning,
        "properties": properties,
        "additionalProperties": false,
    })
}

/// A step is known by its first key.
fn step(kind: &Section) -> Value {
    let mut schema = section(kind);
    if let (Some(map), Some(first)) = (schema.as_object_mut(), kind.keys.first()) {
        map.insert("required".to_string(), json!([first.name]));
    }
    schema
}

fn property(key: &Key) -> Value {
    let mut schema = form(&key.form);
    if let Some(map) = schema.as_object_mut() {
        map.insert("description".to_string(), json!(key.meaning));
        if !key.example.is_empty()
            && let Some(example) = example(key.example)
        {
            map.insert("examples".to_string(), json!([example]));
        }
    }
    schema
}

/// An example of the table, which is TOML, as JSON.
fn example(text: &str) -> Option<Value> {
    let table: toml::Table = format!("value = {text}").parse().ok()?;
    serde_json::to_value(table.get("value")?).ok()
}

fn form(form: &Form) -> Value {
    let quantity =
        |pattern: &str| json!({ "anyOf": [{ "type": "string", "pattern": pattern }, { "$ref": "#/$defs/uncertain" }] });
    match form {
        Form::Text | Form::Target => json!({ "type": "string" }),
        Form::Duration => {
            quantity(r"^\s*[0-9._]+([eE][+-]?[0-9]+)?\s*(ns|us|µs|ms|s|min|h|d|day|hour)(\s*(±|\+-).*)?\s*$")
        }
        Form::Rate => quantity(r"^\s*[0-9._]+([eE][+-]?[0-9]+)?\s*[kKMG]?\s*/\s*[a-z]+(\s*(±|\+-).*)?\s*$"),
        Form::Price => quantity(r"^\s*[0-9._]+\s*/\s*(h|hour|d|day|month|y|year)(\s*(±|\+-).*)?\s*$"),
        Form::Ratio | Form::Number => json!({ "type": ["number", "string", "object"] }),
        Form::Count => json!({ "type": ["integer", "string", "object"], "minimum": 0 }),
        Form::CountOrUnlimited => json!({ "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": "unlimited" }] }),
        Form::Law => json!({ "$ref": "#/$defs/law" }),
        Form::Word(words) => {
            let each: Vec<Value> =
                words().iter().map(|(word, meaning)| json!({ "const": word, "description": meaning })).collect();
            json!({ "anyOf": each })
        }
        Form::Targets => json!({ "type": "array", "items": { "type": "string" } }),
        Form::Steps => json!({ "type": "array", "items": { "$ref": "#/$defs/step" } }),
        Form::Branches => json!({
            "type": "array",
            "items": { "anyOf": [
                { "type": "string" },
                { "$ref": "#/$defs/step" },
                { "type": "array", "items": { "$ref": "#/$defs/step" } },
            ] },
        }),
        Form::Table(inner) => section(inner),
        Form::Named(inner) => json!({ "type": "object", "additionalProperties": section(inner) }),
        Form::List(inner) => json!({ "type": "array", "items": section(inner) }),
        Form::OneOf(forms) => json!({ "anyOf": forms.iter().map(self::form).collect::<Vec<_>>() }),
        Form::Mix => json!({ "type": "object", "additionalProperties": { "type": ["number", "string"] } }),
        Form::Changes => json!({ "type": "object", "additionalProperties": { "type": "object" } }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(section: &Section, seen: &mut Vec<&'static str>) {
        for key in section.keys {
            assert!(!key.meaning.is_empty(), "{} of {} has no meaning", key.name, section.name);
            if !key.example.is_empty() {
                assert!(example(key.example).is_some(), "the example of {} is no TOML: {}", key.name, key.example);
            }
            seen.push(key.name);
            match key.form {
                Form::Table(inner) | Form::Named(inner) | Form::List(inner) => walk(inner, seen),
                _ => {}
            }
        }
    }

    #[test]
    fn every_key_has_a_meaning_and_an_example_that_is_toml() {
        let mut seen = Vec::new();
        walk(&ROOT, &mut seen);
        STEPS.iter().for_each(|step| walk(step, &mut seen));
        walk(&LAW, &mut seen);
        assert!(seen.len() > 90, "{}", seen.len());
    }

    #[test]
    fn the_schema_names_every_step() {
        let schema = schema();
        let steps = schema["$defs"]["step"]["anyOf"].as_array().unwrap();
        assert_eq!(steps.len(), STEPS.len());
    }
}
