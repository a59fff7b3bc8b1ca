//! The product from outside: every story is told twice, on the embedded back ends and on PostgreSQL with Redis.

mod support;

mod accounts;
mod asking;
mod blocks;
mod bots;
mod changes;
mod commands;
mod conversations;
mod deletion;
mod documents;
mod events;
mod faults;
mod fetching;
mod fields;
mod floods;
mod hostile;
mod identity;
mod isolation;
mod issuers;
mod jobs;
mod kills;
mod link_previews;
mod listing;
mod lives;
mod membership;
mod messages;
mod moderation;
mod notices;
mod operation;
mod overriding;
mod packages;
mod pages;
mod partings;
mod people;
mod plugin_cli;
mod plugin_components;
mod plugins;
mod policies;
mod polls;
mod program;
mod property;
mod receipts;
mod record;
mod requests;
mod retention;
mod schedules;
mod sessions;
mod signals;
mod sockets;
mod starting;
mod storage;
mod storm;
mod swaps;
mod topology;
mod traces;
mod transport;
mod treatment;
mod verdicts;
mod workspaces;

use std::process::ExitCode;

fn main() -> ExitCode {
    let stories = [
        accounts::stories(),
        asking::stories(),
        blocks::stories(),
        bots::stories(),
        changes::stories(),
        commands::stories(),
        conversations::stories(),
        deletion::stories(),
        documents::stories(),
        events::stories(),
        faults::stories(),
        fetching::stories(),
        fields::stories(),
        floods::stories(),
        hostile::stories(),
        identity::stories(),
        isolation::stories(),
        issuers::stories(),
        jobs::stories(),
        kills::stories(),
        link_previews::stories(),
        lives::stories(),
        membership::stories(),
        listing::stories(),
        messages::stories(),
        moderation::stories(),
        notices::stories(),
        operation::stories(),
        overriding::stories(),
        packages::stories(),
        pages::stories(),
        partings::stories(),
        people::stories(),
        plugin_cli::stories(),
        plugin_components::stories(),
        plugins::stories(),
        policies::stories(),
        polls::stories(),
        program::stories(),
        property::stories(),
        receipts::stories(),
        record::stories(),
        requests::stories(),
        retention::stories(),
        schedules::stories(),
        sessions::stories(),
        signals::stories(),
        sockets::stories(),
        starting::stories(),
        storage::stories(),
        storm::stories(),
        swaps::stories(),
        topology::stories(),
        traces::stories(),
        transport::stories(),
        treatment::stories(),
        verdicts::stories(),
        workspaces::stories(),
    ];
    support::tell(&stories.concat())
}
