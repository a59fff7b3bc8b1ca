//! What stands beside the bodies, in rows of their own.

use jackfield_domain::{
    MessageId,
    messages::{Details, Location},
};
use sea_orm::{
    ActiveValue::{self, Set},
    entity::prelude::*,
};

use super::super::Store;
use crate::Result;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "message_details")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub message_id: Uuid,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub label: Option<String>,
    pub metadata: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The row of a message that has any.
pub fn row_of(message: MessageId, details: &Details) -> Option<ActiveModel> {
    let location = details.location.as_ref();
    (!details.is_empty()).then(|| ActiveModel {
        message_id: Set(message.0),
        latitude: Set(location.map(|place| place.latitude)),
        longitude: Set(location.map(|place| place.longitude)),
        label: Set(location.and_then(|place| place.label.clone())),
        metadata: Set(details.metadata.clone()),
    })
}

/// About how long it is when it is written.
pub fn bytes(row: &ActiveModel) -> usize {
    let text = |value: &ActiveValue<Option<String>>| match value {
        ActiveValue::Set(Some(text)) => text.len(),
        _ => 0,
    };
    100 + text(&row.label) + text(&row.metadata)
}

impl From<Model> for (MessageId, Details) {
    fn from(row: Model) -> Self {
        let location = row.latitude.zip(row.longitude);
        let location = location.map(|(latitude, longitude)| Location { latitude, longitude, label: row.label });
        (MessageId(row.message_id), Details { location, metadata: row.metadata })
    }
}

impl Store {
    /// What stands beside these messages, for a reader who was shown them.
    pub async fn message_details(&self, ids: &[MessageId]) -> Result<Vec<(MessageId, Details)>> {
        let rows = of(ids).all(&self.reads).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }
}

pub fn of(ids: &[MessageId]) -> Select<Entity> {
    Entity::find().filter(Column::MessageId.is_in(ids.iter().map(|id| id.0)))
}
