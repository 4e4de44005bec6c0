//! Why a store did not do something. What it answers may hold what is secret: of its words nothing is told.

use std::error::Error as Cause;
use std::io;

use resonetics_runs::Error;

/// Why a store did not do something.
pub(super) enum Problem {
    /// There is no such object.
    Missing,
    /// There is one already.
    Exists,
    /// It cannot be asked, or does not take it; whether it may if it is asked again.
    Unreachable { why: String, again: bool },
    /// Something here.
    Here(Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        Problem::Here(error)
    }
}

impl From<object_store::Error> for Problem {
    fn from(failure: object_store::Error) -> Problem {
        use object_store::Error as Failure;
        match &failure {
            Failure::NotFound { .. } => Problem::Missing,
            Failure::AlreadyExists { .. } | Failure::Precondition { .. } => Problem::Exists,
            Failure::Generic { .. } => Problem::Unreachable { why: reason(&failure), again: true },
            _ => Problem::Unreachable { why: reason(&failure), again: false },
        }
    }
}

impl Problem {
    /// What is told of it, `doing` something with a copy.
    pub(super) fn told(self, doing: &str) -> Error {
        match self {
            Problem::Here(error) => error,
            Problem::Missing => {
                Error::Failed(format!("cannot {doing}: the store has no such object or bucket"))
            }
            Problem::Exists => Error::Failed(format!(
                "cannot {doing}: there is such an object; nothing was replaced: try again"
            )),
            Problem::Unreachable { why, .. } => Error::Failed(format!("cannot {doing}: {why}")),
        }
    }
}

/// What a failure is, in words of our own.
pub(super) fn reason(failure: &object_store::Error) -> String {
    use object_store::Error as Failure;
    match failure {
        Failure::NotFound { .. } => return "there is no such object".to_owned(),
        Failure::AlreadyExists { .. } | Failure::Precondition { .. } => {
            return "there is such an object".to_owned();
        }
        Failure::PermissionDenied { .. } => return "the store does not allow it".to_owned(),
        Failure::Unauthenticated { .. } => return "the store does not know who asks".to_owned(),
        Failure::NotSupported { .. } | Failure::NotImplemented { .. } => {
            return "the store cannot do that".to_owned();
        }
        _ => {}
    }
    let mut cause: Option<&(dyn Cause + 'static)> = Some(failure);
    while let Some(one) = cause {
        if let Some(system) = one.downcast_ref::<io::Error>().filter(|system| system.raw_os_error().is_some())
        {
            return format!("the store cannot be reached: {system}");
        }
        cause = one.source();
    }
    // Of an answer only its status: a number of three digits.
    let text = failure.to_string();
    let code = text.split_once("status code: ").map(|(_, rest)| rest.chars().take(3).collect::<String>());
    match code.filter(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit())) {
        Some(code) => format!("the store answers {code}"),
        None => "the store cannot be reached, or its settings are not right".to_owned(),
    }
}
