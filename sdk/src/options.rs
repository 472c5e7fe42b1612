//! What users may set, declared once: as a struct, from which the schema follows.
//!
//! ```
//! icehost_sdk::choices! {
//!     /// What to do about a NULL.
//!     pub enum Nulls {
//!         /// End the run.
//!         Refuse = "refuse",
//!         /// Leave the row out.
//!         Skip = "skip",
//!     }
//! }
//!
//! icehost_sdk::options! {
//!     /// Options of the strategy.
//!     pub struct MyOptions {
//!         /// The column to look at.
//!         pub column: String,
//!         /// How far to look back, in seconds.
//!         pub lookback_seconds: u32 = 0,
//!         /// What to do about a NULL in the column.
//!         pub nulls: Nulls = Nulls::Refuse,
//!     }
//! }
//!
//! use icehost_sdk::Options;
//! let schema = MyOptions::schema();
//! assert_eq!(schema["required"][0], "column");
//! assert_eq!(schema["properties"]["lookback-seconds"]["default"], 0);
//! assert_eq!(schema["properties"]["nulls"]["enum"][1], "skip");
//!
//! let options: MyOptions = icehost_sdk::options::parse(r#"{"column": "x", "nulls": "skip"}"#)?;
//! assert_eq!((options.column.as_str(), options.nulls), ("x", Nulls::Skip));
//! # Ok::<(), icehost_sdk::Error>(())
//! ```

use serde_json::{Map, Value as Json, json};

use crate::Error;

/// What users may set. [`options!`](crate::options!) writes the implementation.
pub trait Options: Sized {
    /// A JSON Schema of an object, by which the host checks options before it calls the strategy.
    fn schema() -> Json;

    /// Reads options that fit the schema.
    fn from_json(options: Map<String, Json>) -> Result<Self, Error>;
}

/// A type that an option may have.
pub trait OptionType: Sized {
    /// The JSON Schema of its values.
    fn schema() -> Json;

    /// The value, or what was expected instead.
    fn from_json(json: Json) -> Result<Self, String>;

    /// The value in JSON, to state a default; `None` where there is none to state.
    fn to_json(&self) -> Option<Json>;

    /// The value where the option is not given and has no default; `None` where it must be given.
    fn absent() -> Option<Self> {
        None
    }
}

/// For a strategy without options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoOptions;

impl Options for NoOptions {
    fn schema() -> Json {
        json!({"type": "object", "properties": {}, "additionalProperties": false})
    }

    fn from_json(_: Map<String, Json>) -> Result<Self, Error> {
        Ok(NoOptions)
    }
}

/// Reads options from the JSON text that the host passes.
pub fn parse<O: Options>(text: &str) -> Result<O, Error> {
    match serde_json::from_str(text) {
        Ok(Json::Object(options)) => O::from_json(options),
        Ok(_) => Err(malformed("they are not a JSON object")),
        Err(error) => Err(malformed(&error.to_string())),
    }
}

fn malformed(reason: &str) -> Error {
    Error::invalid_options(
        "malformed-options",
        format!("cannot read the options: {reason}"),
    )
}

/// Takes one option out of the map; what [`options!`](crate::options!) expands to.
#[doc(hidden)]
pub fn take<T: OptionType>(
    options: &mut Map<String, Json>,
    name: &str,
    default: Option<T>,
) -> Result<T, Error> {
    match options.remove(name) {
        Some(json) => T::from_json(json).map_err(|expected| {
            Error::invalid_options(
                "malformed-options",
                format!("option '{name}' must be {expected}"),
            )
        }),
        None => default.or_else(T::absent).ok_or_else(|| {
            Error::invalid_options("missing-option", format!("option '{name}' is missing"))
        }),
    }
}

/// Completes one option's schema; what [`options!`](crate::options!) expands to.
#[doc(hidden)]
pub fn describe(mut schema: Json, lines: &[&str], default: Option<Json>) -> Json {
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), lines.join(" ").into());
        if let Some(default) = default {
            schema.insert("default".to_owned(), default);
        }
    }
    schema
}

macro_rules! plain_option_type {
    ($($type:ty, $schema:tt, $expected:literal;)*) => {$(
        impl OptionType for $type {
            fn schema() -> Json {
                json!($schema)
            }

            fn from_json(json: Json) -> Result<Self, String> {
                serde_json::from_value(json).map_err(|_| $expected.to_owned())
            }

            fn to_json(&self) -> Option<Json> {
                Some(json!(self))
            }
        }
    )*};
}

plain_option_type! {
    String, {"type": "string", "minLength": 1}, "text";
    bool, {"type": "boolean"}, "true or false";
    i64, {"type": "integer"}, "an integer";
    u32, {"type": "integer", "minimum": 0, "maximum": 4294967295u32}, "an integer from 0 to 4294967295";
}

impl<T: OptionType> OptionType for Option<T> {
    fn schema() -> Json {
        T::schema()
    }

    fn from_json(json: Json) -> Result<Self, String> {
        T::from_json(json).map(Some)
    }

    fn to_json(&self) -> Option<Json> {
        self.as_ref().and_then(T::to_json)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: OptionType> OptionType for Vec<T> {
    fn schema() -> Json {
        json!({"type": "array", "items": T::schema(), "minItems": 1})
    }

    fn from_json(json: Json) -> Result<Self, String> {
        match json {
            Json::Array(items) => items.into_iter().map(T::from_json).collect(),
            _ => Err("a list".to_owned()),
        }
    }

    fn to_json(&self) -> Option<Json> {
        self.iter().map(T::to_json).collect()
    }
}

/// Declares a struct of options; see [the module](crate::options).
///
/// An option's name is its field's with `-` for `_`, its description the field's documentation. It must be
/// given unless it has a default or is an `Option`.
#[macro_export]
macro_rules! options {
    (
        $(#[doc = $about:literal])*
        $visibility:vis struct $name:ident {
            $(
                $(#[doc = $line:literal])*
                $field_visibility:vis $field:ident : $type:ty $(= $default:expr)?
            ),* $(,)?
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq)]
        $visibility struct $name {
            $($(#[doc = $line])* $field_visibility $field: $type,)*
        }

        impl $crate::Options for $name {
            fn schema() -> $crate::__private::Json {
                use $crate::options::OptionType;
                let mut properties = $crate::__private::Map::new();
                let mut required: ::std::vec::Vec<::std::string::String> = ::std::vec::Vec::new();
                $({
                    let name = stringify!($field).replace('_', "-");
                    let default: ::std::option::Option<$type> = $crate::__default!($($default)?);
                    if default.is_none() && <$type as OptionType>::absent().is_none() {
                        required.push(name.clone());
                    }
                    let schema = $crate::options::describe(
                        <$type as OptionType>::schema(),
                        &[$($line),*],
                        default.as_ref().and_then(OptionType::to_json),
                    );
                    properties.insert(name, schema);
                })*
                $crate::__private::json!({
                    "type": "object",
                    "properties": properties,
                    "required": required,
                    "additionalProperties": false,
                })
            }

            fn from_json(
                mut options: $crate::__private::Map<::std::string::String, $crate::__private::Json>,
            ) -> ::std::result::Result<Self, $crate::Error> {
                Ok($name {
                    $($field: $crate::options::take(
                        &mut options,
                        &stringify!($field).replace('_', "-"),
                        $crate::__default!($($default)?),
                    )?,)*
                })
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __default {
    () => {
        ::std::option::Option::None
    };
    ($default:expr) => {
        ::std::option::Option::Some($default)
    };
}

/// Declares an option with a fixed set of values; see [the module](crate::options).
#[macro_export]
macro_rules! choices {
    (
        $(#[doc = $about:literal])*
        $visibility:vis enum $name:ident {
            $($(#[doc = $line:literal])* $variant:ident = $text:literal),* $(,)?
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $visibility enum $name {
            $($(#[doc = $line])* $variant,)*
        }

        impl $crate::options::OptionType for $name {
            fn schema() -> $crate::__private::Json {
                $crate::__private::json!({"type": "string", "enum": [$($text),*]})
            }

            fn from_json(
                json: $crate::__private::Json,
            ) -> ::std::result::Result<Self, ::std::string::String> {
                match json.as_str() {
                    $(::std::option::Option::Some($text) => Ok($name::$variant),)*
                    _ => Err([$($text),*].join(" or ")),
                }
            }

            fn to_json(&self) -> ::std::option::Option<$crate::__private::Json> {
                Some($crate::__private::Json::from(match self {
                    $($name::$variant => $text,)*
                }))
            }
        }
    };
}
