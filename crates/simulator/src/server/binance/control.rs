//! What a socket is told to do.

use serde::Deserialize;
use serde_json::{Value, json};

/// What a client asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Command {
    Subscribe(Vec<String>),
    Unsubscribe(Vec<String>),
    List,
    GetCombined,
    SetCombined(bool),
}

/// A request with its id.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    pub(crate) command: Command,
    pub(crate) id: Value,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Complaint {
    code: i32,
    words: String,
    id: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Method {
    Subscribe,
    Unsubscribe,
    ListSubscriptions,
    SetProperty,
    GetProperty,
}

#[derive(Deserialize)]
struct Text {
    method: Method,
    #[serde(default)]
    params: Vec<Value>,
    #[serde(default)]
    id: Value,
}

/// Streams one connection may have.
pub(crate) const MOST_STREAMS: usize = 1024;

/// Reads a request.
pub(crate) fn parse(text: &str) -> Result<Request, Complaint> {
    let whole: Value = serde_json::from_str(text).map_err(|error| Complaint {
        code: 3,
        words: format!("Invalid JSON: {error}"),
        id: Value::Null,
    })?;
    let id = whole.get("id").filter(|id| is_id(id)).cloned().unwrap_or_default();
    let invalid = |words: String| Complaint { code: 2, words: format!("Invalid request: {words}"), id: id.clone() };
    let request: Text = serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
    if !is_id(&request.id) {
        return Err(invalid("request ID must be an unsigned integer".to_owned()));
    }
    let names = || -> Result<Vec<String>, Complaint> {
        if request.params.len() > MOST_STREAMS {
            return Err(invalid("too many parameters".to_owned()));
        }
        let name = |value: &Value| value.as_str().map(str::to_owned);
        request.params.iter().map(|value| name(value).ok_or_else(|| Complaint::invalid_stream(&id))).collect()
    };
    let property = |n_params: usize| -> Result<(), Complaint> {
        if request.params.len() > n_params {
            return Err(invalid("too many parameters".to_owned()));
        }
        match request.params.first().and_then(Value::as_str) {
            None => Err(invalid("property name must be a string".to_owned())),
            Some("combined") => Ok(()),
            Some(_) => Err(Complaint { code: 0, words: "Unknown property".to_owned(), id: id.clone() }),
        }
    };
    let command = match request.method {
        Method::Subscribe => Command::Subscribe(names()?),
        Method::Unsubscribe => Command::Unsubscribe(names()?),
        Method::ListSubscriptions if !request.params.is_empty() => {
            return Err(invalid("too many parameters".to_owned()));
        }
        Method::ListSubscriptions => Command::List,
        Method::GetProperty => {
            property(1)?;
            Command::GetCombined
        }
        Method::SetProperty => {
            property(2)?;
            let wrong =
                || Complaint { code: 1, words: "Invalid value type: expected Boolean".to_owned(), id: id.clone() };
            Command::SetCombined(request.params.get(1).and_then(Value::as_bool).ok_or_else(wrong)?)
        }
    };
    Ok(Request { command, id: request.id.clone() })
}

/// A signed integer, up to 36 letters, digits and dashes, or null.
fn is_id(id: &Value) -> bool {
    match id {
        Value::Null => true,
        Value::Number(number) => number.is_i64(),
        Value::String(text) => text.len() <= 36 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'),
        _ => false,
    }
}

/// What a request that was carried out is answered with.
pub(crate) fn answer(result: &Value, id: &Value) -> String {
    format!(r#"{{"result":{result},"id":{id}}}"#)
}

impl Complaint {
    pub(crate) fn invalid_stream(id: &Value) -> Self {
        Self { code: 2, words: "Invalid request: invalid stream".to_owned(), id: id.clone() }
    }

    pub(crate) fn too_many_streams(id: &Value) -> Self {
        Self { code: 2, words: "Invalid request: too many parameters".to_owned(), id: id.clone() }
    }

    /// The answer: nested, or flat as the documentation prints it.
    pub(crate) fn text(&self, flat: bool) -> String {
        let (code, words, id) = (self.code, json!(self.words), &self.id);
        match (flat, code) {
            (true, 0) => format!(r#"{{"code":{code},"msg":{words},"id":{id}}}"#),
            (true, _) => format!(r#"{{"code":{code},"msg":{words}}}"#),
            (false, _) => format!(r#"{{"error":{{"code":{code},"msg":{words}}},"id":{id}}}"#),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, flat: &str) {
        assert_eq!(parse(text).unwrap_err().text(true), flat, "{text}");
    }

    #[test]
    fn what_cannot_be_done_is_said_in_the_exchanges_words() {
        check(
            r#"{"method":"SET_PROPERTY","params":["nonsense",true],"id":6}"#,
            r#"{"code":0,"msg":"Unknown property","id":6}"#,
        );
        check(
            r#"{"method":"SET_PROPERTY","params":["combined","yes"],"id":7}"#,
            r#"{"code":1,"msg":"Invalid value type: expected Boolean"}"#,
        );
        check(
            r#"{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1.5}"#,
            r#"{"code":2,"msg":"Invalid request: request ID must be an unsigned integer"}"#,
        );
        check(
            r#"{"method":"SUBSCRIB","params":["btcusdt@trade"],"id":8}"#,
            concat!(
                r#"{"code":2,"msg":"Invalid request: unknown variant `SUBSCRIB`, expected one of `SUBSCRIBE`, "#,
                r#"`UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY` at line 1 column 20"}"#
            ),
        );
        check(r#"{oops"#, r#"{"code":3,"msg":"Invalid JSON: key must be a string at line 1 column 2"}"#);
        check(
            r#"{"method":"GET_PROPERTY","params":[1],"id":1}"#,
            r#"{"code":2,"msg":"Invalid request: property name must be a string"}"#,
        );
        check(
            r#"{"method":"GET_PROPERTY","params":["combined",1],"id":1}"#,
            r#"{"code":2,"msg":"Invalid request: too many parameters"}"#,
        );
        check(r#"{"id":1}"#, r#"{"code":2,"msg":"Invalid request: missing field `method` at line 1 column 8"}"#);
    }

    #[test]
    fn ids_are_integers_short_words_or_nothing() {
        let id = |id: &str| parse(&format!(r#"{{"method":"LIST_SUBSCRIPTIONS","id":{id}}}"#)).map(|request| request.id);
        for known in ["1", "-9", "null", "\"b1946ac9-2aae-4b2c-9f3d-0c7e6a1d2f3e\""] {
            assert_eq!(id(known).unwrap().to_string(), known);
        }
        for unknown in ["1.5", "true", "[]", "\"a b\"", "\"0123456789012345678901234567890123456\""] {
            assert!(id(unknown).is_err(), "{unknown}");
        }
        assert_eq!(parse(r#"{"method":"LIST_SUBSCRIPTIONS"}"#).unwrap().id, Value::Null);
    }
}
