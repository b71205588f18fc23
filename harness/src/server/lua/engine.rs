//! The interpreter: compiles scripts once, runs them, and stops those that run away.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use mlua::{Function, HookTriggers, Lua, LuaOptions, StdLib, Table, Value, VmState};

use super::super::call::{Call, Outcome, Refusal};
use super::super::session::Session;
use super::super::state::State;
use super::convert::{self, Replies};
use super::limit;
use super::natives;
use super::running::{Running, Script, Slot};

/// Compiled scripts that are kept. Each takes a place on a stack of some 8,000 in the interpreter.
const COMPILED_MAX: usize = 500;
/// Instructions between two looks at whether a script runs away.
const STEP: u32 = 100_000;
/// A script that takes more steps is killed: about a second.
const STEPS_MAX: u32 = 1_000;

const KILLED: &str = "ERR Script killed by user with SCRIPT KILL.";

/// The interpreter with the scripts that it has compiled.
pub(crate) struct Engine {
    lua: Lua,
    slot: Slot,
    environment: Table,
    /// Where `KEYS` and `ARGV` lie.
    globals: Table,
    run: Function,
    replies: Replies,
    compiled: BTreeMap<String, Function>,
    order: VecDeque<String>,
    steps: Arc<AtomicU32>,
    hooked_lines: Arc<AtomicBool>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("compiled", &self.compiled.len()).finish_non_exhaustive()
    }
}

impl Engine {
    /// An interpreter that knows no script.
    pub(crate) fn new(version: &str) -> Result<Self, Refusal> {
        Self::build(version).map_err(|error| format!("ERR no interpreter: {error}").into())
    }

    fn build(version: &str) -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        limit::set(&lua)?;
        let slot = Slot::default();
        let natives = natives::table(&lua, &slot, version)?;
        let sandbox = lua.load(include_str!("sandbox.lua")).set_name("@sandbox");
        let (environment, globals, run) = sandbox.call(natives)?;
        let replies = Replies::new(&lua)?;
        let steps = Arc::new(AtomicU32::new(0));
        let hooked_lines = Arc::new(AtomicBool::new(false));
        let engine = Self {
            lua,
            slot,
            environment,
            globals,
            run,
            replies,
            compiled: BTreeMap::new(),
            order: VecDeque::new(),
            steps,
            hooked_lines,
        };
        engine.hook(HookTriggers::new().every_nth_instruction(STEP))?;
        Ok(engine)
    }

    /// Compiles a script, if it is new.
    pub(crate) fn compile(&mut self, sha: &str, body: &[u8]) -> Result<Function, Refusal> {
        if let Some(function) = self.compiled.get(sha) {
            return Ok(function.clone());
        }
        let chunk = self.lua.load(body).set_name("@user_script").set_mode(mlua::chunk::ChunkMode::Text);
        let function = chunk.set_environment(self.environment.clone()).into_function().map_err(|error| {
            let text = convert::error_text(&error);
            Refusal::from(format!("ERR Error compiling script (new function): {text}"))
        })?;
        if self.order.len() >= COMPILED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.compiled.remove(&oldest);
        }
        self.order.push_back(sha.to_owned());
        self.compiled.insert(sha.to_owned(), function.clone());
        Ok(function)
    }

    /// Runs a script to its end.
    pub(crate) fn run(&mut self, call: &mut Call<'_>, script: &Script) -> Outcome {
        let function = self.compile(&script.sha, &script.body)?;
        limit::lifted(&self.lua, || self.prepare(script))
            .map_err(|error| Refusal::from(convert::error_text(&error)))?;
        let db = call.session.db;
        *self.slot.lock() = Some(Running {
            state: std::mem::take(call.state),
            session: std::mem::take(call.session),
            now: call.now,
            read_only: script.read_only,
            wrote: false,
            resp3: false,
        });
        let result: mlua::Result<(bool, Value)> = self.run.call(function);
        let (state, session, resp3) = self.taken_back();
        (*call.state, *call.session) = (state, session);
        call.session.db = db;
        if self.hooked_lines.swap(false, Ordering::Relaxed) {
            // A script was killed: the closer watch over it ends.
            let _ = self.hook(HookTriggers::new().every_nth_instruction(STEP));
        }
        match result {
            Ok((true, value)) => limit::lifted(&self.lua, || self.replies.read(&value, resp3)),
            Ok((false, blamed)) => Err(convert::blame(&blamed, &script.sha)),
            Err(error) => Err(Refusal::from(format!("ERR {}", convert::error_text(&error)))),
        }
    }

    fn taken_back(&self) -> (State, Session, bool) {
        match self.slot.lock().take() {
            Some(running) => (running.state, running.session, running.resp3),
            // Nobody else takes it.
            None => (State::default(), Session::default(), false),
        }
    }

    fn prepare(&self, script: &Script) -> mlua::Result<()> {
        self.steps.store(0, Ordering::Relaxed);
        for (name, values) in [("KEYS", &script.keys), ("ARGV", &script.arguments)] {
            let table = self.lua.create_table_with_capacity(values.len(), 0)?;
            for (index, value) in values.iter().enumerate() {
                table.raw_set(index + 1, self.lua.create_string(value)?)?;
            }
            self.globals.raw_set(name, table)?;
        }
        Ok(())
    }

    /// Looks at the script every so often. A script that catches its own death is stopped at its next line.
    fn hook(&self, triggers: HookTriggers) -> mlua::Result<()> {
        let (steps, lines) = (Arc::clone(&self.steps), Arc::clone(&self.hooked_lines));
        self.lua.set_global_hook(triggers, move |lua, _| {
            if steps.fetch_add(1, Ordering::Relaxed) < STEPS_MAX {
                return Ok(VmState::Continue);
            }
            if !lines.swap(true, Ordering::Relaxed) {
                let steps = Arc::clone(&steps);
                lua.set_global_hook(HookTriggers::new().every_line(), move |_, _| {
                    steps.fetch_add(1, Ordering::Relaxed);
                    Err(mlua::Error::external(convert::Raised(KILLED.into())))
                })?;
            }
            Err(mlua::Error::external(convert::Raised(KILLED.into())))
        })
    }
}
