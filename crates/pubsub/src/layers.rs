//! A DataSetMessage holds one value a field: which message of a batch's series each sample goes to.

use gemba_model::Sample;

#[derive(Clone, Copy, Default)]
struct Seen {
    generation: u32,
    count: u32,
}

/// Orders the samples of a batch by how often their field came before: all first values, all second ones, …
///
/// The values of one field keep their order. Servers commonly report item by item, each with its queue; cutting
/// at every repetition would then make one message a value, where this makes as many as the longest queue.
#[derive(Default)]
pub(crate) struct Layers {
    seen: Vec<Seen>,
    generation: u32,
    layer_of: Vec<u32>,
    starts: Vec<usize>,
    order: Vec<usize>,
}

impl Layers {
    /// Reads a batch's samples; returns how many layers they need. Only for two or more is [`Self::layer`] filled.
    pub(crate) fn arrange(&mut self, samples: &[Sample]) -> usize {
        self.begin();
        self.layer_of.clear();
        let mut deepest = 0;
        for sample in samples {
            let field = usize::from(sample.field);
            if field >= self.seen.len() {
                self.seen.resize(field + 1, Seen::default());
            }
            let Some(seen) = self.seen.get_mut(field) else { continue };
            if seen.generation != self.generation {
                *seen = Seen { generation: self.generation, count: 0 };
            }
            self.layer_of.push(seen.count);
            deepest = deepest.max(seen.count);
            seen.count += 1;
        }
        let layers = if samples.is_empty() { 0 } else { deepest as usize + 1 };
        if layers > 1 {
            self.sort(layers);
        }
        layers
    }

    /// The places in the batch of one layer's samples, in order.
    pub(crate) fn layer(&self, layer: usize) -> &[usize] {
        let end = self.starts.get(layer).copied().unwrap_or_default();
        let start =
            layer.checked_sub(1).and_then(|before| self.starts.get(before)).copied().unwrap_or_default();
        self.order.get(start..end).unwrap_or_default()
    }

    fn begin(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 {
            self.seen.clear();
            self.generation = 1;
        }
    }

    /// Counting sort by layer; afterwards `starts[layer]` is the end of the layer.
    fn sort(&mut self, layers: usize) {
        self.starts.clear();
        self.starts.resize(layers + 1, 0);
        for layer in &self.layer_of {
            if let Some(next) = self.starts.get_mut(*layer as usize + 1) {
                *next += 1;
            }
        }
        let mut sum = 0;
        for start in &mut self.starts {
            sum += *start;
            *start = sum;
        }
        self.order.clear();
        self.order.resize(self.layer_of.len(), 0);
        for (place, layer) in self.layer_of.iter().enumerate() {
            let Some(next) = self.starts.get_mut(*layer as usize) else { continue };
            if let Some(slot) = self.order.get_mut(*next) {
                *slot = place;
            }
            *next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arranged(fields: &[u16]) -> Vec<Vec<u16>> {
        let samples: Vec<Sample> =
            fields.iter().map(|field| Sample { field: *field, ..Sample::default() }).collect();
        let mut layers = Layers::default();
        layers.arrange(&[Sample { field: 7, ..Sample::default() }]);
        let count = layers.arrange(&samples);
        if count < 2 {
            return vec![fields.to_vec(); count];
        }
        (0..count).map(|n| layers.layer(n).iter().map(|place| fields[*place]).collect()).collect()
    }

    #[test]
    fn repeated_fields_go_to_later_layers() {
        assert_eq!(arranged(&[]), Vec::<Vec<u16>>::new());
        assert_eq!(arranged(&[3, 1, 2]), [vec![3, 1, 2]]);
        assert_eq!(arranged(&[1, 1, 1, 2, 2, 3]), [vec![1, 2, 3], vec![1, 2], vec![1]]);
        assert_eq!(arranged(&[65_535, 0, 65_535]), [vec![65_535, 0], vec![65_535]]);
    }

    #[test]
    fn places_keep_the_order_of_the_batch() {
        let samples: Vec<Sample> = [5, 5, 4, 5].map(|field| Sample { field, ..Sample::default() }).into();
        let mut layers = Layers::default();
        assert_eq!(layers.arrange(&samples), 3);
        assert_eq!((layers.layer(0), layers.layer(1), layers.layer(2)), (&[0, 2][..], &[1][..], &[3][..]));
    }
}
