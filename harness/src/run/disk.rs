//! Folders for instances that keep sessions on disk: one for each number, below one for the run. It goes with the run,
//! or with the next one where Squall itself is killed.

use std::path::PathBuf;
use std::sync::Arc;

use super::RunError;
use crate::plan::Plan;
use crate::world::local::{Folder, sweep_dead};

/// The folder of a run, if its instances need one. The last to drop it removes it.
#[derive(Clone)]
pub(super) struct Disk(Option<Arc<Folder>>);

impl Disk {
    /// Makes it.
    pub(super) fn of(plan: &Plan) -> Result<Self, RunError> {
        if !plan.disk {
            return Ok(Self(None));
        }
        sweep_dead();
        Ok(Self(Some(Arc::new(Folder::make().map_err(failed)?))))
    }

    /// That of the instances of this number, which is made for the first of them.
    pub(super) fn folder(&self, number: u16) -> Result<Option<PathBuf>, RunError> {
        let Some(run) = &self.0 else { return Ok(None) };
        let folder = run.path().join(format!("instance-{number}"));
        std::fs::create_dir_all(&folder).map_err(failed)?;
        Ok(Some(folder))
    }
}

fn failed(error: std::io::Error) -> RunError {
    RunError::Broken(format!("failed to make a folder for sessions on disk: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn each_number_has_a_folder_of_its_own_and_all_go_with_the_run() {
        let disk = Disk::of(&Plan { disk: true, ..samples::plan() }).unwrap();
        let (first, second) = (disk.folder(0).unwrap().unwrap(), disk.folder(1).unwrap().unwrap());
        assert_ne!(first, second);
        std::fs::write(first.join("sessions"), "x").unwrap();
        assert_eq!(disk.folder(0).unwrap().as_ref(), Some(&first), "the next of the number has the same");
        let other = disk.clone();
        drop(disk);
        assert!(first.join("sessions").exists());
        drop(other);
        assert!(!first.exists() && !second.exists());
    }

    #[test]
    fn nobody_has_one_where_the_scenario_names_no_disk() {
        assert_eq!(Disk::of(&samples::plan()).unwrap().folder(0).unwrap(), None);
    }
}
