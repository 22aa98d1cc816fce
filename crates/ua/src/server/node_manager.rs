//! Our nodes behind the stack's services.

mod attributes;
mod browse;
mod call;

use super::NAMESPACE_INDEX;
use super::convert;
use super::declaration::VariableHandle;
use super::node::{Kind, Node, VariableType};
use super::space::AddressSpaceBuilder;
use super::values::Values;
use async_trait::async_trait;
use gemba_base::{Clock, SystemClock, Tasks};
use opcua::nodes::DefaultTypeTree;
use opcua::server::diagnostics::NamespaceMetadata;
use opcua::server::node_manager::{
    BrowseNode, BrowsePathItem, ExternalReferenceRequest, MethodCall, MonitoredItemRef, NodeManager,
    ReadNode, RequestContext, ServerContext, WriteNode,
};
use opcua::server::{CreateMonitoredItem, MonitoredItemHandle};
use opcua::types::{
    AttributeId, DataEncoding, DataTypeId, DataValue, IdType, MonitoringMode, NodeClass, NodeId, StatusCode,
    TimestampsToReturn,
};
use std::sync::Arc;
use std::time::Duration;

/// Values that wait for an item being created are offered again after this long, which is longer than the
/// stack needs between asking us and knowing the item.
const SETTLE_AFTER: Duration = Duration::from_millis(2);

pub(super) struct OwnNodes {
    space: AddressSpaceBuilder,
    /// The index that the stack gave to our namespace.
    pub(super) namespace: u16,
    pub(super) values: Arc<Values>,
    clock: SystemClock,
    tasks: Tasks,
}

impl OwnNodes {
    pub(super) fn new(mut space: AddressSpaceBuilder, context: &ServerContext, tasks: Tasks) -> Self {
        let namespace = context.type_tree.write().namespaces_mut().add_namespace(&space.namespace_uri);
        let initial = std::mem::take(&mut space.variables);
        let values = Values::new(
            initial.into_iter().map(|(_, value)| value),
            convert::date_time(SystemClock::new().now()),
            context.subscriptions.clone(),
            convert::Converter::new(),
        );
        Self { space, namespace, values: Arc::new(values), clock: SystemClock::new(), tasks }
    }

    fn find(&self, id: &NodeId) -> Option<&Node> {
        self.node(*self.space.by_id.get(id)?)
    }

    fn node(&self, index: u32) -> Option<&Node> {
        self.space.nodes.get(index as usize)
    }

    fn types(&self) -> &[VariableType] {
        &self.space.types
    }

    fn variable(&self, id: &NodeId) -> Option<(VariableHandle, &VariableType)> {
        match self.find(id)?.kind {
            Kind::Variable { handle, shared } => Some((handle, self.space.types.get(shared as usize)?)),
            _ => None,
        }
    }

    fn create_item(
        &self,
        context: &RequestContext,
        item: &mut CreateMonitoredItem,
    ) -> Result<(), StatusCode> {
        let wanted = item.item_to_monitor();
        let node = self.find(&wanted.node_id).ok_or(StatusCode::BadNodeIdUnknown)?;
        if !matches!(wanted.data_encoding, DataEncoding::Binary) {
            return Err(StatusCode::BadDataEncodingInvalid);
        }
        let initial = match (&node.kind, wanted.attribute_id) {
            (_, AttributeId::EventNotifier) => return Err(StatusCode::BadAttributeIdInvalid),
            (Kind::Variable { handle, .. }, AttributeId::Value) => self
                .values
                .watch(context.session_id, item.handle(), *handle)
                .ok_or(StatusCode::BadInternalError)?,
            (_, attribute) => {
                DataValue { value: Some(node.attribute(attribute, self.types())?), ..DataValue::default() }
            }
        };
        item.set_initial_value(initial);
        // Zero cannot be said here, but what rounds to zero microseconds can: every change is reported
        // with its own source timestamp. With any other interval the stack moves source timestamps.
        if item.sampling_interval() > 0.0 {
            item.revise_sampling_interval(1e-6);
        }
        Ok(())
    }

    fn watched_items<'a>(
        &'a self,
        items: &'a [&'a MonitoredItemRef],
    ) -> impl Iterator<Item = (MonitoredItemHandle, VariableHandle)> + 'a {
        items.iter().filter(|item| item.attribute() == AttributeId::Value).filter_map(|item| {
            let (variable, _) = self.variable(item.node_id())?;
            Some((item.handle(), variable))
        })
    }
}

/// Offers waiting values again until none waits.
pub(super) fn settle_soon(values: &Arc<Values>, tasks: &Tasks) {
    let values = values.clone();
    tasks.spawn(async move {
        // Bounded, so that an item that is never born does not keep the task.
        for _ in 0..1000 {
            tokio::time::sleep(SETTLE_AFTER).await;
            if !values.settle() {
                break;
            }
        }
    });
}

#[async_trait]
impl NodeManager for OwnNodes {
    fn owns_node(&self, id: &NodeId) -> bool {
        id.namespace == NAMESPACE_INDEX
    }

    fn name(&self) -> &str {
        "gemba"
    }

    fn namespaces_for_user(&self, context: &RequestContext) -> Vec<NamespaceMetadata> {
        // The stack asks at each activation of a session: that is how we learn of sessions to which
        // subscriptions may be transferred.
        self.values.session_seen(context.session_id);
        vec![NamespaceMetadata {
            namespace_uri: self.space.namespace_uri.clone(),
            namespace_index: self.namespace,
            is_namespace_subset: Some(false),
            static_node_id_types: Some(vec![IdType::Numeric]),
            ..Default::default()
        }]
    }

    async fn init(&self, type_tree: &mut DefaultTypeTree, _context: ServerContext) {
        for node in &self.space.nodes {
            if matches!(node.kind, Kind::DataType(_)) {
                type_tree.add_type_node(&node.id, &DataTypeId::Structure.into(), NodeClass::DataType);
            }
        }
    }

    async fn resolve_external_references(
        &self,
        _context: &RequestContext,
        items: &mut [&mut ExternalReferenceRequest],
    ) {
        for item in items {
            if let Some(node) = self.find(item.node_id()) {
                item.set(node.metadata(self.types()));
            }
        }
    }

    async fn read(
        &self,
        _context: &RequestContext,
        _max_age: f64,
        timestamps: TimestampsToReturn,
        nodes: &mut [&mut ReadNode],
    ) -> Result<(), StatusCode> {
        self.values.read_all(|read| {
            for node in &mut *nodes {
                match self.read_node(node.node(), timestamps, read) {
                    Ok(value) => node.set_result(value),
                    Err(status) => node.set_error(status),
                }
            }
        });
        Ok(())
    }

    async fn write(&self, _context: &RequestContext, nodes: &mut [&mut WriteNode]) -> Result<(), StatusCode> {
        for node in nodes {
            let status = self.write_node(node.value()).err().unwrap_or(StatusCode::Good);
            node.set_status(status);
        }
        Ok(())
    }

    async fn browse(&self, context: &RequestContext, nodes: &mut [BrowseNode]) -> Result<(), StatusCode> {
        let types = context.type_tree.read();
        for node in nodes {
            self.browse_node(node, &*types);
        }
        Ok(())
    }

    // The trait leaves the lifetime out, and with async_trait that is a part of the signature.
    #[allow(elided_lifetimes_in_paths)]
    async fn translate_browse_paths_to_node_ids(
        &self,
        context: &RequestContext,
        items: &mut [&mut BrowsePathItem],
    ) -> Result<(), StatusCode> {
        let types = context.type_tree.read();
        for item in items {
            self.translate(item, context.current_node_manager_index, &*types);
        }
        Ok(())
    }

    async fn call(&self, _context: &RequestContext, calls: &mut [&mut MethodCall]) -> Result<(), StatusCode> {
        for call in calls {
            self.call_method(call);
        }
        Ok(())
    }

    async fn create_monitored_items(
        &self,
        context: &RequestContext,
        items: &mut [&mut CreateMonitoredItem],
    ) -> Result<(), StatusCode> {
        for item in items {
            let status = self.create_item(context, item).err().unwrap_or(StatusCode::Good);
            item.set_status(status);
        }
        Ok(())
    }

    async fn set_monitoring_mode(
        &self,
        _context: &RequestContext,
        mode: MonitoringMode,
        items: &[&MonitoredItemRef],
    ) {
        if mode != MonitoringMode::Disabled {
            for (item, variable) in self.watched_items(items) {
                self.values.resample(item, variable);
            }
        }
    }

    async fn delete_monitored_items(&self, _context: &RequestContext, items: &[&MonitoredItemRef]) {
        for (item, variable) in self.watched_items(items) {
            self.values.unwatch(item, variable);
        }
    }
}
