//! An array that grows and shrinks by small steps: no push ever moves more than [`CHUNK`] items.

/// Items of a chunk, the last one excepted: 30 KB of what is kept of peers behind their addresses.
const CHUNK: usize = 1024;
/// Room for so many is added at least.
const STEP_MIN: usize = 4;

/// Items in chunks of [`CHUNK`]. The last chunk grows by an eighth at a time, or by a 64th of all items, so that little
/// stands empty; and an array of a million items grows without moving those it has, which would take milliseconds.
#[derive(Debug, Clone)]
pub struct Array<T> {
    /// Each but the last is full, and none is empty.
    chunks: Vec<Vec<T>>,
    len: usize,
}

impl<T> Default for Array<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<T> Array<T> {
    pub fn len(&self) -> usize {
        self.len
    }

    /// The item at `at`.
    ///
    /// # Panics
    /// Where there is none.
    #[inline]
    pub fn at(&self, at: usize) -> &T {
        &self.chunks[at / CHUNK][at % CHUNK]
    }

    /// The same, to be changed.
    pub fn at_mut(&mut self, at: usize) -> &mut T {
        &mut self.chunks[at / CHUNK][at % CHUNK]
    }

    /// The items as they stand side by side, where they are no more than one chunk holds.
    pub fn one_piece(&self) -> Option<&[T]> {
        if let [one] = self.chunks.as_slice() { Some(one) } else { None }
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    pub fn push(&mut self, item: T) {
        if self.len.is_multiple_of(CHUNK) {
            self.chunks.push(Vec::new());
        }
        let last = self.chunks.last_mut().expect("a chunk with room was just made where there was none");
        if last.len() == last.capacity() {
            let step = (last.len() / 8).max(self.len / 64).max(STEP_MIN);
            last.reserve_exact(step.min(CHUNK - last.len()));
        }
        last.push(item);
        self.len += 1;
    }

    /// Takes out the last item.
    pub fn pop(&mut self) -> Option<T> {
        let last = self.chunks.last_mut()?;
        let item = last.pop()?;
        self.len -= 1;
        if last.is_empty() {
            self.chunks.pop();
            if self.chunks.capacity() > 4 * self.chunks.len().max(STEP_MIN) {
                self.chunks.shrink_to(2 * self.chunks.len());
            }
        } else if last.capacity() > last.len() + (last.len() / 4).max(2 * STEP_MIN) {
            last.shrink_to(last.len() + last.len() / 8);
        }
        Some(item)
    }

    pub fn swap(&mut self, a: usize, b: usize) {
        if a / CHUNK == b / CHUNK {
            self.chunks[a / CHUNK].swap(a % CHUNK, b % CHUNK);
        } else {
            let (low, high) = (a.min(b), a.max(b));
            let (before, from) = self.chunks.split_at_mut(high / CHUNK);
            std::mem::swap(&mut before[low / CHUNK][low % CHUNK], &mut from[0][high % CHUNK]);
        }
    }

    /// Takes out the item at `at`; the last one comes to stand there.
    pub fn swap_remove(&mut self, at: usize) -> T {
        self.swap(at, self.len - 1);
        self.pop().expect("the place is that of an item")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Step {
        Push(usize),
        Remove(usize, usize),
        Swap(usize, usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (1..1500_usize).prop_map(Step::Push),
            (any::<usize>(), 1..1500_usize).prop_map(|(at, times)| Step::Remove(at, times)),
            any::<(usize, usize)>().prop_map(|(a, b)| Step::Swap(a, b)),
        ];
        prop::collection::vec(step, 0..20)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn it_agrees_with_a_vector(steps in steps()) {
            let (mut array, mut model) = (Array::default(), Vec::new());
            for step in steps {
                match step {
                    Step::Push(times) => (0..times).for_each(|item| { array.push(item); model.push(item); }),
                    Step::Remove(at, times) => for step in 0..times.min(model.len()) {
                        let at = (at % model.len() + step * 7919) % model.len();
                        prop_assert_eq!(array.swap_remove(at), model.swap_remove(at));
                    },
                    Step::Swap(a, b) if !model.is_empty() => {
                        let (a, b) = (a % model.len(), b % model.len());
                        array.swap(a, b);
                        model.swap(a, b);
                    }
                    Step::Swap(..) => prop_assert_eq!(array.pop(), model.pop()),
                }
                prop_assert_eq!(array.len(), model.len());
                prop_assert!(array.iter().eq(&model));
                let room: usize = array.chunks.iter().map(Vec::capacity).sum();
                prop_assert!(room <= model.len() + (model.len() / 4).max(2 * STEP_MIN), "{} for {}", room, model.len());
                if let Some(last) = model.len().checked_sub(1) {
                    prop_assert_eq!(array.at(last), &model[last]);
                }
            }
        }
    }
}
