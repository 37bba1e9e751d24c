//! What must hold after every step, one function each.

use crate::world::World;
use antiphon_broker::{Census, limits};
use antiphon_protocol::{
    ControllerToHost, EngineId, HostToController, Message, TaskId, limits::STREAM_WINDOW_BYTES,
};
use antiphon_testkit::simulation::Start;
use std::collections::{BTreeMap, BTreeSet};

type Checked = Result<(), String>;

pub fn check(world: &World) -> Checked {
    let census = world.broker.census();
    nobody_breached_the_protocol(world)?;
    check_books(&census)?;
    credit_is_conserved(world, &census)
}

/// What the broker's own books must say, whoever is there.
pub fn check_books(census: &Census) -> Checked {
    each_task_is_in_exactly_one_place(census)?;
    requests_owe_what_their_tasks_are(census)?;
    clients_are_charged_for_what_they_have(census)?;
    queues_are_within_bounds(census)?;
    no_engine_idles_while_work_waits(census)?;
    output_under_way_is_somebodys(census)
}

/// What is judged by a world's whole history: nothing of it can become right again, so now and then is enough.
pub fn check_history(world: &World) -> Checked {
    engines_begin_in_order_of_arrival(world)?;
    what_was_not_started_did_not_run(world)
}

/// The faults have stopped and everything was delivered.
pub fn check_drained(world: &World) -> Checked {
    let census = world.broker.census();
    let empty = census.tasks.is_empty() && census.requests.is_empty() && census.queries.is_empty();
    ensure(empty && census.unread_bytes.is_empty(), || format!("something is left over: {census:#?}"))?;
    for machine in world.hosts.values() {
        for (engine, window) in machine.fake.windows() {
            ensure(window == STREAM_WINDOW_BYTES, || {
                format!("engine {engine} has a window of {window} left")
            })?;
        }
    }
    Ok(())
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(what()) }
}

/// Exactly one answer per position, nothing unasked, nothing to who has left: the fakes keep account.
fn nobody_breached_the_protocol(world: &World) -> Checked {
    let clients = world.clients.values().flat_map(|guest| &guest.fake.breaches);
    let hosts = world.hosts.values().flat_map(|machine| &machine.fake.breaches);
    match world.breaches.iter().chain(clients).chain(hosts).next() {
        Some(breach) => Err(format!("breach: {breach}")),
        None => Ok(()),
    }
}

fn each_task_is_in_exactly_one_place(census: &Census) -> Checked {
    let mut places: BTreeMap<TaskId, (Option<EngineId>, bool)> = BTreeMap::new();
    let queued =
        census.engines.iter().flat_map(|e| e.queue.iter().map(|&task| (task, (Some(e.engine), false))));
    let sent = census.engines.iter().flat_map(|e| e.sent.iter().map(|&task| (task, (Some(e.engine), true))));
    let farmed = census.farm.iter().map(|&task| (task, (None, false)));
    for (task, place) in queued.chain(sent).chain(farmed) {
        let before = places.insert(task, place);
        ensure(before.is_none(), || format!("task {task} is at {before:?} and at {place:?}"))?;
    }
    for task in &census.tasks {
        let place = places.remove(&task.task);
        ensure(place == Some((task.engine, task.sent)), || format!("{task:?} is really at {place:?}"))?;
    }
    ensure(places.is_empty(), || format!("tasks that are nobody's: {places:?}"))
}

fn requests_owe_what_their_tasks_are(census: &Census) -> Checked {
    let mut open: BTreeMap<_, u64> = BTreeMap::new();
    for task in &census.tasks {
        *open.entry((task.client, task.request)).or_default() += 1;
    }
    for &(client, request, owed) in &census.requests {
        let tasks = open.remove(&(client, request)).unwrap_or(0);
        ensure(tasks == owed, || {
            format!("request {client}/{request} owes {owed} answers with {tasks} tasks")
        })?;
    }
    ensure(open.is_empty(), || format!("tasks without a request: {open:?}"))
}

fn clients_are_charged_for_what_they_have(census: &Census) -> Checked {
    for &(client, charged, bytes) in &census.clients {
        let has = census.requests.iter().filter(|(whose, _, _)| *whose == client).count();
        ensure(charged == has, || {
            format!("client {client} is charged for {charged} requests and has {has}")
        })?;
        ensure(has > 0 || bytes == 0, || format!("client {client} is charged for {bytes} bytes of nothing"))?;
    }
    let of_clients: u64 = census.clients.iter().map(|(_, _, bytes)| bytes).sum();
    ensure(of_clients <= census.held_bytes, || {
        format!("{of_clients} bytes are held of {}", census.held_bytes)
    })?;
    let nothing = census.requests.is_empty() && census.held_bytes > 0;
    ensure(!nothing, || format!("{} bytes are held of nothing", census.held_bytes))
}

fn queues_are_within_bounds(census: &Census) -> Checked {
    for engine in &census.engines {
        ensure(engine.sent.len() <= limits::TASKS_AHEAD, || format!("too much is under way: {engine:?}"))?;
        ensure(engine.queue.len() <= limits::MAX_TASKS_QUEUED_PER_ENGINE, || {
            format!("too long: {engine:?}")
        })?;
        ensure(engine.under_way_bytes <= limits::STREAM_OVERRUN_BYTES, || format!("too wide: {engine:?}"))?;
    }
    ensure(census.farm.len() <= limits::MAX_TASKS_FARMED, || "the farm is too long".into())
}

fn no_engine_idles_while_work_waits(census: &Census) -> Checked {
    for engine in census.engines.iter().filter(|engine| engine.idle) {
        let waiting = !engine.queue.is_empty() || !census.farm.is_empty();
        ensure(!waiting, || format!("{engine:?} idles with {:?} in the farm", census.farm))?;
    }
    for engine in census.engines.iter().filter(|engine| engine.dead) {
        ensure(engine.queue.is_empty(), || format!("something waits for ever: {engine:?}"))?;
    }
    let hopeless = census.engines.iter().all(|engine| engine.dead) && !census.farm.is_empty();
    ensure(!hopeless, || format!("nobody is there for {:?}", census.farm))
}

fn output_under_way_is_somebodys(census: &Census) -> Checked {
    for engine in &census.engines {
        let id = engine.engine;
        let unread: u64 = census.unread_bytes.iter().filter(|(_, of, _)| *of == id).map(|(_, _, n)| n).sum();
        ensure(unread == engine.under_way_bytes, || format!("{engine:?}, but {unread} bytes are unread"))?;
    }
    let nobodys = |of: &EngineId| !census.engines.iter().any(|engine| engine.engine == *of);
    let stray = census.unread_bytes.iter().find(|(_, of, _)| nobodys(of));
    ensure(stray.is_none(), || format!("unread output of an engine that is gone: {stray:?}"))
}

/// Every byte of a window is with the host, on its way, counted as under way, or on its way back.
fn credit_is_conserved(world: &World, census: &Census) -> Checked {
    for engine in &census.engines {
        let id = engine.engine;
        let Some(machine) = world.hosts.get(&engine.host) else { continue };
        let Some((_, window)) = machine.fake.windows().find(|(of, _)| *of == id) else { continue };
        let streams: u64 = machine.up.iter().map(|message| streamed(message, id)).sum();
        let credits: u64 = machine.down.iter().map(|message| granted(message, id)).sum();
        let sum = window + streams + engine.under_way_bytes + credits;
        ensure(sum == STREAM_WINDOW_BYTES, || {
            format!("engine {id}: {window} + {streams} + {} + {credits} bytes", engine.under_way_bytes)
        })?;
    }
    Ok(())
}

fn streamed(message: &Message<HostToController>, of: EngineId) -> u64 {
    match message.header {
        HostToController::Stream { engine, .. } if engine == of => message.data_bytes(),
        _ => 0,
    }
}

fn granted(message: &Message<ControllerToHost>, of: EngineId) -> u64 {
    match message.header {
        ControllerToHost::Credit { engine, bytes } if engine == of => bytes,
        _ => 0,
    }
}

fn engines_begin_in_order_of_arrival(world: &World) -> Checked {
    let mut begun: BTreeMap<_, Vec<&Start>> = BTreeMap::new();
    let past = world.past_starts.iter().map(|(host, start)| (*host, start));
    let present =
        world.hosts.iter().flat_map(|(&host, m)| m.fake.starts.iter().map(move |start| (host, start)));
    for (host, start) in past.chain(present) {
        begun.entry((host, start.engine)).or_default().push(start);
    }
    let farmed: BTreeSet<_> = world.farmed.iter().collect();
    for (place, starts) in begun {
        let mut arrivals = world.arrivals.get(&place).into_iter().flatten();
        for start in starts {
            let Some(request) = start.request else { return Err(format!("{start:?} lost its data")) };
            if farmed.contains(&request) {
                continue;
            }
            let found = arrivals.any(|arrived| *arrived == request);
            ensure(found, || format!("{start:?} began out of turn at {place:?}"))?;
        }
    }
    Ok(())
}

/// A task that was answered as certainly not started did not start.
fn what_was_not_started_did_not_run(world: &World) -> Checked {
    if world.losses.is_empty() {
        return Ok(());
    }
    let past = world.past_starts.iter().map(|(_, start)| start);
    let present = world.hosts.values().flat_map(|machine| &machine.fake.starts);
    let begun: BTreeSet<_> = past.chain(present).map(|start| start.request).collect();
    let ran: BTreeSet<_> = world
        .past_starts
        .iter()
        .map(|(_, start)| start)
        .chain(world.hosts.values().flat_map(|machine| &machine.fake.starts))
        .map(|start| (start.request, start.engine))
        .collect();
    for (client, request, engine, loss) in &world.losses {
        if loss.started {
            continue;
        }
        let key = Some((*client, *request));
        let did =
            if *engine == EngineId::NONE { begun.contains(&key) } else { ran.contains(&(key, *engine)) };
        ensure(!did, || {
            format!("request {client}/{request} ran on engine {engine} and was answered {loss:?}")
        })?;
    }
    Ok(())
}
