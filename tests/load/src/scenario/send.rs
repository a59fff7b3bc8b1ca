//! How fast messages are taken, with nobody listening.

use std::sync::Arc;

use serde_json::json;

use super::{Scene, WORKSPACE, raw};
use crate::{
    Result, accounts,
    hub::Hub,
    measure::measure,
    options::{AckOptions, Options, SendOptions},
    report::Report,
    rooms::Room,
    sender::{self, Manner, Sender},
    stage::Stage,
};

pub async fn acknowledgement(hub: &Hub, options: &Options, ack: &AckOptions) -> Result<Report> {
    let mut report = Report::new("ack");
    let Scene { room, senders, .. } = Scene::set(hub, 1, 1).await?;
    let manner = Manner { transport: ack.transport, ..Manner::new(options) };
    sent(hub, options, &senders, &[room], manner, &mut report).await?;
    Ok(report)
}

pub async fn run(hub: &Hub, options: &Options, send: &SendOptions) -> Result<Report> {
    let mut report = Report::new("send");
    let (senders, rooms) = scene(hub, send).await?;
    let manner = Manner { transport: send.transport, in_flight: send.in_flight, ..Manner::new(options) };
    let messages_per_second = sent(hub, options, &senders, &rooms, manner, &mut report).await?;
    if send.beside_raw {
        let folder = options.parent_folder();
        let bare = raw::sqlite(&folder, raw::SHARED_BATCH, options.window()).await?;
        report.figure("bare_sqlite_messages_per_second", bare.messages_per_second);
        report.figure("percent_of_bare_sqlite", 100.0 * messages_per_second / bare.messages_per_second);
    }
    Ok(report)
}

async fn sent(
    hub: &Hub,
    options: &Options,
    senders: &[Sender],
    rooms: &[Arc<Room>],
    manner: Manner,
    report: &mut Report,
) -> Result<f64> {
    let stage = Arc::new(Stage::new(options.most_messages));
    let at_work = sender::start(senders, manner, &stage);
    let measured = measure(hub, &stage, options.warm_up(), options.window()).await;
    let mut sent = at_work.finish().await;
    measured.tell(report);
    report.latencies("ack", std::mem::take(&mut sent.latencies));
    sent.verify(rooms, report).await?;
    Ok(measured.messages_per_second())
}

/// Senders and conversations, dealt out to workspaces like cards.
async fn scene(hub: &Hub, send: &SendOptions) -> Result<(Vec<Sender>, Vec<Arc<Room>>)> {
    let workspaces = send.workspaces.max(1);
    if send.senders < workspaces || send.conversations < workspaces {
        return Err("each workspace needs a sender and a conversation".into());
    }
    let (mut senders, mut all_rooms) = (Vec::new(), Vec::new());
    let share = |count: usize, workspace: usize| (count + workspaces - 1 - workspace) / workspaces;
    for workspace in 0..workspaces {
        let slug = slug(hub, workspace).await?;
        let here = accounts::provision(hub, &slug, "sender", share(send.senders, workspace)).await?;
        // A group of one would be no conversation.
        let silent = accounts::provision(hub, &slug, "silent", 1).await?;
        let members: Vec<_> = here.iter().skip(1).chain(&silent).cloned().collect();
        let mut rooms = Vec::new();
        for _ in 0..share(send.conversations, workspace) {
            rooms.push(Room::create(&here[0], &members).await?);
        }
        for (number, account) in here.into_iter().enumerate() {
            // Each begins elsewhere, so that they do not walk through the rooms as one crowd.
            let mut rooms = rooms.clone();
            let places = rooms.len();
            rooms.rotate_left(number % places);
            senders.push(Sender { account, rooms });
        }
        all_rooms.append(&mut rooms);
    }
    Ok((senders, all_rooms))
}

/// The workspace of this number: the first one is there from the start.
async fn slug(hub: &Hub, workspace: usize) -> Result<String> {
    if workspace == 0 {
        return Ok(WORKSPACE.to_owned());
    }
    let slug = format!("load-{workspace}");
    let query = "mutation($input: WorkspaceCreateInput!) {
        workspaceCreate(input: $input) { errors { code message } }
    }";
    hub.operator().await?.ask(query, json!({ "input": { "slug": slug, "name": slug } })).await?;
    Ok(slug)
}
