//! Who asks, in which role and why: said with every call to a server, which
//! writes it down.

use std::sync::OnceLock;

use custody_query::consultation::{CALLER_KEY, REASON_KEY, ROLE_KEY};
use tonic::metadata::{AsciiMetadataValue, BinaryMetadataValue, MetadataMap};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// A connection on which whoever asks is introduced.
pub(crate) type Introduced = InterceptedService<Channel, Introduction>;

/// Said once, by the command line, for the process.
static CALLER: OnceLock<Caller> = OnceLock::new();

/// Who asks. What is empty is not said.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Who asks")]
pub(crate) struct Caller {
    /// Who asks, as the server writes it down; without it, the user's name
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    caller: Option<String>,
    /// The role in which you ask
    #[arg(long, global = true, value_name = "ROLE", hide_short_help = true)]
    role: Option<String>,
    /// Why you ask: the person may be told. Names nobody where the question is
    /// about everybody, since that outlives them
    #[arg(long, global = true, value_name = "TEXT", hide_short_help = true)]
    reason: Option<String>,
}

impl Caller {
    /// Has every call of this process say so.
    pub(crate) fn introduce(&self) {
        // A second call in one process changes nothing.
        let _ = CALLER.set(self.clone());
    }

    fn metadata(&self) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        let user = || Some(user_name());
        for (key, said) in [
            (CALLER_KEY, self.caller.clone().or_else(user)),
            (ROLE_KEY, self.role.clone()),
            (REASON_KEY, self.reason.clone()),
        ] {
            let Some(said) = said.filter(|said| !said.is_empty()) else {
                continue;
            };
            // What is not ASCII goes as bytes, under a name that says so.
            match said.parse::<AsciiMetadataValue>() {
                Ok(value) if said.is_ascii() => {
                    metadata.insert(key, value);
                }
                _ => {
                    let value = BinaryMetadataValue::from_bytes(said.as_bytes());
                    let key = match key {
                        CALLER_KEY => "custody-caller-bin",
                        ROLE_KEY => "custody-role-bin",
                        _ => "custody-reason-bin",
                    };
                    metadata.insert_bin(key, value);
                }
            }
        }
        metadata
    }
}

/// The user's name on this machine, or the number where there is none.
fn user_name() -> String {
    let variables = ["LOGNAME", "USER"].into_iter();
    let name = variables
        .filter_map(|variable| std::env::var(variable).ok())
        .find(|name| !name.is_empty());
    name.unwrap_or_else(|| format!("uid:{}", rustix::process::getuid().as_raw()))
}

/// Says who asks.
#[derive(Clone, Debug)]
pub(crate) struct Introduction(MetadataMap);

impl Introduction {
    /// Of whoever runs this process.
    pub(crate) fn of_this_process() -> Self {
        Self(CALLER.get().cloned().unwrap_or_default().metadata())
    }
}

impl Interceptor for Introduction {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        for said in self.0.iter() {
            match said {
                tonic::metadata::KeyAndValueRef::Ascii(key, value) => {
                    request.metadata_mut().insert(key, value.clone());
                }
                tonic::metadata::KeyAndValueRef::Binary(key, value) => {
                    request.metadata_mut().insert_bin(key, value.clone());
                }
            }
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_is_said_in_the_form_that_it_fits() {
        let caller = Caller {
            caller: Some("li.wei".to_owned()),
            role: None,
            reason: Some("客户提问".to_owned()),
        };
        let request = Introduction(caller.metadata()).call(Request::new(()));
        let request = request.unwrap();
        let metadata = request.metadata();
        assert_eq!(metadata.get(CALLER_KEY).unwrap(), "li.wei");
        assert!(metadata.get(ROLE_KEY).is_none());
        let reason = metadata.get_bin("custody-reason-bin").unwrap();
        assert_eq!(&*reason.to_bytes().unwrap(), "客户提问".as_bytes());
        assert!(
            !Caller::default()
                .metadata()
                .get(CALLER_KEY)
                .unwrap()
                .is_empty()
        );
    }
}
