//! The Call service.

use super::OwnNodes;
use crate::server::convert;
use crate::server::node::{Kind, Owner};
use crate::server::space::Method;
use gemba_model::Variant;
use opcua::server::node_manager::MethodCall;
use opcua::types::{NodeId, StatusCode};

impl OwnNodes {
    pub(super) fn call_method(&self, call: &mut MethodCall) {
        let status = match self.method(call.object_id(), call.method_id()) {
            Err(status) => status,
            Ok(method) => match self.arguments(method, call) {
                Err(Refused::Call(status)) => status,
                Err(Refused::Arguments(statuses)) => {
                    call.set_argument_error(statuses);
                    return;
                }
                Ok(arguments) => match (method.callback)(&arguments) {
                    Err(status) => convert::status(status),
                    Ok(outputs) => {
                        let outputs = outputs.into_iter().map(|value| self.values.converter.to_stack(value));
                        call.set_outputs(outputs.collect());
                        StatusCode::Good
                    }
                },
            },
        };
        call.set_status(status);
    }

    fn method(&self, object: &NodeId, method: &NodeId) -> Result<&Method, StatusCode> {
        let node = self.find(method).ok_or(StatusCode::BadMethodInvalid)?;
        let Kind::Method(index) = node.kind else { return Err(StatusCode::BadMethodInvalid) };
        let owner = match node.owner {
            Owner::Own(owner) => self.node(owner).map(|node| node.id.clone()),
            Owner::Standard(number) => Some(NodeId::new(0, number)),
        };
        if owner.as_ref() != Some(object) {
            let known = self.find(object).is_some();
            return Err(if known { StatusCode::BadMethodInvalid } else { StatusCode::BadNodeIdUnknown });
        }
        self.space.methods.get(index as usize).ok_or(StatusCode::BadInternalError)
    }

    fn arguments(&self, method: &Method, call: &MethodCall) -> Result<Vec<Variant>, Refused> {
        let given = call.arguments();
        if given.len() < method.inputs.len() {
            return Err(Refused::Call(StatusCode::BadArgumentsMissing));
        }
        if given.len() > method.inputs.len() {
            return Err(Refused::Call(StatusCode::BadTooManyArguments));
        }
        let values: Vec<Option<Variant>> = given
            .iter()
            .zip(&method.inputs)
            .map(|(value, wanted)| {
                self.values.converter.to_model(value).filter(|value| value.built_in_type() == Some(*wanted))
            })
            .collect();
        if values.iter().all(Option::is_some) {
            return Ok(values.into_iter().flatten().collect());
        }
        let status = |value: &Option<Variant>| match value {
            Some(_) => StatusCode::Good,
            None => StatusCode::BadTypeMismatch,
        };
        Err(Refused::Arguments(values.iter().map(status).collect()))
    }
}

enum Refused {
    Call(StatusCode),
    Arguments(Vec<StatusCode>),
}
