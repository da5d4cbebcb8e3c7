//! What an erasure leaves, and where it does not reach. `docs/erasing.md` says
//! the same at length.

use custody_proto::v1;

/// What stays and why.
pub(super) fn stays(mark: bool) -> Vec<String> {
    let mut stays = vec![
        "The entries and their public part: kind, times, controller, purposes, categories, \
         recipients, countries, legal basis and findings, under random references. They are the \
         evidence that processing was lawful (GDPR Art. 5(2), 17(3)(e)), and without the keys \
         nothing links them to an identifier."
            .to_owned(),
        "The sealed parts as bytes that nobody can open, so that every digest, tree and proof \
         holds as before."
            .to_owned(),
        "What Custody itself says of the erasure: the references, the recipients, reason and \
         ticket, and when it was done."
            .to_owned(),
    ];
    if mark {
        stays.push(
            "A mark on each identifier, under a keyed digest: the day, and nothing of who it \
             was. Who comes again with the identifier is treated as erased on that day until \
             data is collected afresh or consent is given."
                .to_owned(),
        );
    }
    stays
}

/// Where Custody does not reach, and what to do there.
pub fn out_of_reach() -> Vec<v1::OutOfReach> {
    let place = |what: &str, advice: &str| v1::OutOfReach {
        what: what.to_owned(),
        advice: advice.to_owned(),
    };
    vec![
        place(
            "the topics in Kafka",
            "set `retention.ms` to the shortest time in which Custody surely reads them, and no \
             compaction; remember mirrors and tiered storage",
        ),
        place(
            "dead-letter topics",
            "they hold messages whole: set `retention.ms` there too, and delete what was mended",
        ),
        place(
            "backups of the data directory",
            "they hold sealed parts, and keys only under the root key of their time: destroy \
             copies of the root key by their age; a restore erases again what is in the register \
             beside the root key",
        ),
        place(
            "copies and shares of the root key",
            "whoever has an older root key and a backup of the data directory of that time reads \
             what was erased since: keep no copy but the shares of `custody root escrow`, and \
             destroy those when they are too old",
        ),
        place(
            "replicas and snapshots of disks",
            "what holds for backups; a snapshot that has the root key file in it is a copy of \
             the root key: keep that file on another disk",
        ),
        place(
            "exports and answers that were given out",
            "files of `custody export` and of the programs that ask: delete them where they are",
        ),
        place(
            "the services and the recipients",
            "tell the recipients named here (GDPR Art. 19), and the services that have not said \
             that they erased their copy",
        ),
    ]
}
