//! The shape of the store, as steps that can be taken up and down on SQLite and on PostgreSQL from the same code.

use sea_orm_migration::prelude::*;

mod m0001_skeleton;
mod m0002_audit;
mod m0003_people;
mod m0004_blocks;
mod m0005_messages;
mod m0006_jobs;
mod m0007_public_titles;
mod m0008_plugins;
mod m0009_own_messages;
mod m0010_plugin_life;
mod m0011_plugin_notices;
mod m0012_command_runs;
mod m0013_verdicts;
mod m0014_online_mentions;
mod m0015_plugin_versions;
mod m0017_plugin_requests;

pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_skeleton::Migration),
            Box::new(m0002_audit::Migration),
            Box::new(m0003_people::Migration),
            Box::new(m0004_blocks::Migration),
            Box::new(m0005_messages::Migration),
            Box::new(m0006_jobs::Migration),
            Box::new(m0007_public_titles::Migration),
            Box::new(m0008_plugins::Migration),
            Box::new(m0009_own_messages::Migration),
            Box::new(m0010_plugin_life::Migration),
            Box::new(m0011_plugin_notices::Migration),
            Box::new(m0012_command_runs::Migration),
            Box::new(m0013_verdicts::Migration),
            Box::new(m0014_online_mentions::Migration),
            Box::new(m0015_plugin_versions::Migration),
            Box::new(m0017_plugin_requests::Migration),
        ]
    }
}
