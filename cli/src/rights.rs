//! Asks for what persons have a right to, and for what the operator decides:
//! over the network or in this process.

use custody_proto::v1::rights_service_client::RightsServiceClient;
use custody_proto::v1::{
    EraseSubjectRequest, EraseSubjectResponse, GetErasureRequest, GetErasureResponse,
    LiftHoldRequest, LiftHoldResponse, LinkSubjectsRequest, LinkSubjectsResponse,
    ListErasuresRequest, ListErasuresResponse, ListHoldsRequest, ListHoldsResponse,
    ListRequestsRequest, ListRequestsResponse, PlaceHoldRequest, PlaceHoldResponse,
    ReleaseIdentifierRequest, ReleaseIdentifierResponse, UnlinkSubjectsRequest,
    UnlinkSubjectsResponse, WithdrawErasureRequest, WithdrawErasureResponse,
};
use tonic::Response;

use crate::client::{Place, all_pages};
use crate::error::CommandError;
use crate::offline::Offline;
use crate::reach::{ask_offline, block_on, connect, refused};

/// The largest page that is asked for.
const PAGE_SIZE: i32 = 1_000;

/// The largest answer: a preview or a list of erasures that name many persons.
const MAX_ANSWER_BYTES: usize = 256 << 20;

/// Calls a method of the rights service of a place. `open` says how a data
/// directory is opened.
macro_rules! ask {
    ($place:expr, $open:path, $client:ident => $call:expr) => {
        match $place {
            Place::Server(server) => block_on(async {
                let mut $client = RightsServiceClient::new(connect(server).await?)
                    .max_decoding_message_size(MAX_ANSWER_BYTES)
                    .max_encoding_message_size(MAX_ANSWER_BYTES);
                $call.await.map_err(|status| refused(server, &status))
            }),
            Place::Files(config) => ask_offline(config, $open(config)?, |offline| async move {
                let mut $client = offline
                    .rights()
                    .max_decoding_message_size(MAX_ANSWER_BYTES)
                    .max_encoding_message_size(MAX_ANSWER_BYTES);
                $call.await
            }),
        }
    };
}

/// A method whose answer is one message, and which may change something.
macro_rules! methods {
    ($($(#[$doc:meta])+ $name:ident: $request:ty => $answer:ty = $method:ident;)+) => {
        $(
            $(#[$doc])+
            ///
            /// # Errors
            /// As [`crate::client::ask_server`] and [`crate::client::ask_files`].
            pub fn $name(place: Place<'_>, request: $request) -> Result<$answer, CommandError> {
                let answer = ask!(place, Offline::open_acting, client => client.$method(request));
                answer.map(Response::into_inner)
            }
        )+
    };
}

methods! {
    /// Shows what an erasure would do, or does it.
    erase: EraseSubjectRequest => EraseSubjectResponse = erase_subject;
    /// One erasure and its certificate.
    erasure: GetErasureRequest => GetErasureResponse = get_erasure;
    /// Takes back an erasure that waits.
    withdraw: WithdrawErasureRequest => WithdrawErasureResponse = withdraw_erasure;
    /// Holds persons for a matter.
    place_hold: PlaceHoldRequest => PlaceHoldResponse = place_hold;
    /// Lifts a hold.
    lift_hold: LiftHoldRequest => LiftHoldResponse = lift_hold;
    /// Holds in force.
    holds: ListHoldsRequest => ListHoldsResponse = list_holds;
    /// Says that two persons are one.
    link: LinkSubjectsRequest => LinkSubjectsResponse = link_subjects;
    /// Takes a link back.
    unlink: UnlinkSubjectsRequest => UnlinkSubjectsResponse = unlink_subjects;
    /// Says that an identifier is nobody's any more.
    release: ReleaseIdentifierRequest => ReleaseIdentifierResponse = release_identifier;
}

/// Requests of persons, all pages.
///
/// # Errors
/// As [`crate::client::ask_server`] and [`crate::client::ask_files`].
pub fn requests(
    place: Place<'_>,
    request: ListRequestsRequest,
) -> Result<ListRequestsResponse, CommandError> {
    let request = ListRequestsRequest {
        page_size: PAGE_SIZE,
        ..request
    };
    ask!(place, Offline::open, client => all_pages(
        request,
        |request| &mut request.page_token,
        |page: &mut ListRequestsResponse| (&mut page.requests, &mut page.next_page_token),
        async |request| client.list_requests(request).await,
    ))
}

/// Erasures, all pages.
///
/// # Errors
/// As [`crate::client::ask_server`] and [`crate::client::ask_files`].
pub fn erasures(
    place: Place<'_>,
    request: ListErasuresRequest,
) -> Result<ListErasuresResponse, CommandError> {
    let request = ListErasuresRequest {
        page_size: PAGE_SIZE,
        ..request
    };
    ask!(place, Offline::open_acting, client => all_pages(
        request,
        |request| &mut request.page_token,
        |page: &mut ListErasuresResponse| (&mut page.erasures, &mut page.next_page_token),
        async |request| client.list_erasures(request).await,
    ))
}
