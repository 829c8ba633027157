//! What an owner keeps of one of its outputs, so that a checkpoint can say from where a takeover has
//! to read it (L9, O9).

use std::collections::VecDeque;

use eventlog_port::Offset;

use crate::input::Input;

/// One output of the owner's: how far it is acknowledged, and which outcomes a takeover must find.
#[derive(Debug)]
pub(crate) struct Output {
    /// One past the last acknowledged append; at first past the fence.
    end: Offset,
    /// Outcomes whose input is not below that input's offset in the last checkpoint, by their own
    /// offset, ascending.
    to_find: VecDeque<(Offset, Input)>,
    /// Where the highest epoch rose: the offset of the record and the epoch; the first stands for
    /// all below it.
    raises: VecDeque<(Offset, u64)>,
}

impl Output {
    /// An output that was read from `from`, below which the highest epoch is `epoch`.
    pub(crate) fn new(from: Offset, epoch: u64) -> Self {
        Self {
            end: from,
            to_find: VecDeque::new(),
            raises: VecDeque::from([(0, epoch)]),
        }
    }

    /// A takeover reads the record at `offset`, of `epoch`. Whether it counts.
    pub(crate) fn read(&mut self, offset: Offset, epoch: u64) -> bool {
        self.end = self.end.max(offset + 1);
        let highest = self.raises.back().map_or(0, |(_, epoch)| *epoch);
        if epoch > highest {
            self.raises.push_back((offset, epoch));
        }
        epoch >= highest
    }

    /// The outcome of `input` lies at `offset`.
    pub(crate) fn found(&mut self, offset: Offset, input: Input) {
        self.to_find.push_back((offset, input));
    }

    /// An append of the owner's is acknowledged at `offset`; of an outcome, its input.
    pub(crate) fn acknowledged(&mut self, offset: Offset, input: Option<Input>) {
        self.end = self.end.max(offset + 1);
        if let Some(input) = input {
            self.found(offset, input);
        }
    }

    /// One past the last acknowledged append.
    pub(crate) const fn end(&self) -> Offset {
        self.end
    }

    /// From where a takeover has to read it, if a checkpoint says of each input what `is_below`
    /// does; and the highest epoch below that.
    pub(crate) fn from(&mut self, is_below: impl Fn(Input) -> bool) -> (Offset, u64) {
        while self
            .to_find
            .front()
            .is_some_and(|(_, input)| is_below(*input))
        {
            self.to_find.pop_front();
        }
        let from = self.to_find.front().map_or(self.end, |(offset, _)| *offset);
        let from = from.min(self.end);
        while self.raises.get(1).is_some_and(|(at, _)| *at < from) {
            self.raises.pop_front();
        }
        (from, self.raises.front().map_or(0, |(_, epoch)| *epoch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_from_its_oldest_outcome_whose_input_is_not_below() {
        let mut output = Output::new(7, 3);
        assert!(output.read(7, 3));
        assert!(output.read(8, 5));
        assert!(!output.read(9, 3));
        assert_eq!(output.end(), 10);
        output.acknowledged(10, Some(Input::Event(4)));
        output.acknowledged(11, None);
        output.acknowledged(12, Some(Input::Event(2)));
        assert_eq!(output.from(|input| input < Input::Event(4)), (10, 5));
        assert_eq!(output.from(|input| input < Input::Event(5)), (13, 5));
        let mut output = Output::new(7, 3);
        output.read(8, 5);
        output.found(8, Input::Event(9));
        assert_eq!(output.from(|_| false), (8, 3));
    }
}
