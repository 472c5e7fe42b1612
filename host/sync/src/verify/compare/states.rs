//! The states that a merge leaves rows of its target in: some count, others are put aside, marked or closed.
//!
//! A row is put aside where its columns hold what the merge writes when it puts one aside. It counts where they hold
//! what it writes of a new one. What is neither, half marked by hand for example, no merge has left so: it is compared
//! like a row that counts, and differs in those columns.

use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::ArrowError;
use arrow_select::filter::filter_record_batch;
use icehost_plan::{
    Action, Assignment, Clause, Column, Expression, Node, Occasion, Side, Table, ValidMergePlan,
    Value,
};

use crate::verify::compare::shape::{NULL_CELL, cell_bytes, constant};

/// The columns that tell whether a row counts, and what they hold.
#[derive(Debug, Default)]
pub(crate) struct States {
    /// Ordinals in the target, and what a row that counts holds there.
    columns: Vec<(u32, Value)>,
    /// The same as bytes.
    live: Vec<Vec<u8>>,
    /// What rows hold that were put aside, in each of the ways that the merge has for it.
    aside: Vec<Vec<Holds>>,
    /// Columns that no way of putting aside writes: what they hold says whose a row is.
    whose: Vec<bool>,
    /// Columns by which the merge finds the rows that take part, where these alone decide it.
    among: Vec<usize>,
    /// One of these suffices.
    any_among: bool,
}

/// What a column holds in a row that was put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Holds {
    /// Whatever there is.
    Anything,
    /// Not NULL: a moment, or what another column held.
    Something,
    /// This.
    This(Vec<u8>),
}

/// A plan, and what it is where the run is at another time: the literals that differ are moments of runs.
#[derive(Clone, Copy)]
pub(crate) struct AtTwoTimes<'a> {
    pub(crate) plan: &'a ValidMergePlan,
    pub(crate) dated: &'a ValidMergePlan,
    /// The columns of the delta that it was made for.
    pub(crate) delta: &'a [Column],
}

impl States {
    /// `live` are the columns that hold the same in every row that counts.
    pub(crate) fn of(live: &[(u32, Value)], plans: &[AtTwoTimes<'_>], target: &Table) -> States {
        let bytes = |value: &Value| cell_bytes(&constant(value, 1), 0).unwrap_or_default();
        let mut states = States {
            columns: live.to_vec(),
            live: live.iter().map(|(_, value)| bytes(value)).collect(),
            whose: vec![true; live.len()],
            ..States::default()
        };
        for at in plans {
            let among = at.plan.among.as_ref();
            let columns = among.map_or_else(Vec::new, |among| states.positions(among));
            let decides = among.is_some_and(|among| columns.len() == read_of_target(among));
            if decides {
                states.among.clone_from(&columns);
                states.any_among = among.is_some_and(are_alternatives);
            }
            for (clause, dated) in at.plan.clauses.iter().zip(&at.dated.clauses) {
                let assigned = putting_aside(clause);
                let later = putting_aside(dated);
                states.add_way(at, target, assigned, later, &columns);
            }
        }
        states
    }

    fn add_way(
        &mut self,
        at: &AtTwoTimes<'_>,
        target: &Table,
        assigned: &[Assignment],
        later: &[Assignment],
        among: &[usize],
    ) {
        let mut way = Vec::with_capacity(self.columns.len());
        let mut written = Vec::new();
        let mut leaves = false;
        for (position, (ordinal, live)) in self.columns.iter().enumerate() {
            let Some(assignment) = assigned.iter().find(|a| a.target == *ordinal) else {
                way.push(Holds::Anything);
                continue;
            };
            written.push(position);
            let value = assignment.value.node(assignment.value.root);
            match value {
                Some(Node::Literal(value)) if later.contains(assignment) => {
                    let bytes = cell_bytes(&constant(value, 1), 0).unwrap_or_default();
                    leaves |= self.live.get(position) != Some(&bytes);
                    way.push(Holds::This(bytes));
                }
                _ => {
                    leaves = true;
                    // Where a row that counts has NULL, the column may have come when rows were aside already.
                    let may_be_null = *live == Value::Null && !among.contains(&position);
                    let never_null = never_null(&assignment.value, at.delta, &target.columns);
                    way.push(match never_null && !may_be_null {
                        true => Holds::Something,
                        false => Holds::Anything,
                    });
                }
            }
        }
        // What leaves the columns as they are in a row that counts puts nothing aside.
        if leaves {
            for position in written {
                if let Some(whose) = self.whose.get_mut(position) {
                    *whose = false;
                }
            }
            self.aside.push(way);
        }
    }

    /// Those of the columns that an expression reads.
    fn positions(&self, expression: &Expression) -> Vec<usize> {
        let reads = |ordinal: u32| {
            let of_target = Node::Column {
                side: Side::Target,
                column: ordinal,
            };
            expression.nodes.contains(&of_target)
        };
        let columns = self.columns.iter().enumerate();
        let read = columns.filter(|(_, (ordinal, _))| reads(*ordinal));
        read.map(|(position, _)| position).collect()
    }

    /// No column tells anything: every row counts.
    pub(crate) fn is_trivial(&self) -> bool {
        self.columns.is_empty()
    }

    /// Rows are put aside in some way.
    pub(crate) fn puts_aside(&self) -> bool {
        !self.aside.is_empty()
    }

    /// Some of the columns say whose a row is.
    pub(crate) fn tell_whose(&self) -> bool {
        self.whose.contains(&true)
    }

    /// Ordinals of the columns in the target.
    pub(crate) fn ordinals(&self) -> impl Iterator<Item = u32> {
        self.columns.iter().map(|(ordinal, _)| *ordinal)
    }

    /// What the columns hold in so many rows that count.
    pub(crate) fn expected(&self, rows: usize) -> Vec<ArrayRef> {
        let columns = self.columns.iter();
        columns.map(|(_, value)| constant(value, rows)).collect()
    }

    /// The rows of a batch that were not put aside and are not those of others. Its last columns are these.
    pub(crate) fn standing(&self, batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
        if self.is_trivial() {
            return Ok(batch);
        }
        let before = batch.num_columns().saturating_sub(self.columns.len());
        let columns: Vec<&ArrayRef> = batch.columns().iter().skip(before).collect();
        let stands = |row: usize| {
            let cells = columns.iter().map(|array| cell_bytes(array, row));
            let cells: Vec<Vec<u8>> = cells.map(Option::unwrap_or_default).collect();
            self.stands(&cells)
        };
        let kept: BooleanArray = (0..batch.num_rows()).map(|row| Some(stands(row))).collect();
        filter_record_batch(&batch, &kept)
    }

    fn stands(&self, cells: &[Vec<u8>]) -> bool {
        let is_live = |position: usize| cells.get(position) == self.live.get(position);
        let mut whose = self.whose.iter().enumerate();
        if whose.any(|(position, whose)| *whose && !is_live(position)) {
            return false;
        }
        if cells == self.live {
            return true;
        }
        // One that takes part in merges is not aside, whatever its marks say.
        let mut among = self.among.iter().map(|&at| is_live(at));
        let takes_part = match self.any_among {
            true => among.any(|live| live),
            false => !self.among.is_empty() && among.all(|live| live),
        };
        let holds = |way: &Vec<Holds>| way.iter().zip(cells).all(|(holds, cell)| holds.of(cell));
        takes_part || !self.aside.iter().any(holds)
    }
}

impl Holds {
    fn of(&self, cell: &[u8]) -> bool {
        match self {
            Holds::Anything => true,
            Holds::Something => cell != NULL_CELL,
            Holds::This(bytes) => cell == bytes,
        }
    }
}

/// What a clause writes to a row of the target that it takes out of those that count, if it is one that may: it reads
/// nothing of the delta, or another row takes the place of this one.
fn putting_aside(clause: &Clause) -> &[Assignment] {
    match (&clause.action, clause.occasion) {
        (_, Occasion::NotMatched) => &[],
        (Action::Write(assignments), _) if !assignments.iter().any(reads_delta) => assignments,
        (Action::Supersede(succession), _) => &succession.old,
        _ => &[],
    }
}

fn reads_delta(assignment: &Assignment) -> bool {
    let mut nodes = assignment.value.nodes.iter();
    nodes.any(|node| matches!(node, Node::Column { side, .. } if *side == Side::Source))
}

/// How many columns of the target an expression reads.
fn read_of_target(expression: &Expression) -> usize {
    let columns = expression.nodes.iter().filter_map(|node| match node {
        Node::Column {
            side: Side::Target,
            column,
        } => Some(*column),
        _ => None,
    });
    let mut columns: Vec<u32> = columns.collect();
    columns.sort_unstable();
    columns.dedup();
    columns.len()
}

/// Whether one of the conditions that a predicate is made of suffices for it.
fn are_alternatives(expression: &Expression) -> bool {
    let joined = |node: &Node| matches!(node, Node::AllOf(_) | Node::Negate(_));
    !expression.nodes.iter().any(joined)
}

fn never_null(value: &Expression, delta: &[Column], target: &[Column]) -> bool {
    let holds = |index: u32| match value.node(index) {
        Some(Node::Literal(value)) => *value != Value::Null,
        Some(Node::Column { side, column }) => {
            let columns = match side {
                Side::Source => delta,
                Side::Target => target,
            };
            let column = columns.get(*column as usize);
            column.is_some_and(|column| !column.nullable)
        }
        _ => false,
    };
    match value.node(value.root) {
        Some(Node::Coalesce(items)) => items.iter().any(|&item| holds(item)),
        _ => holds(value.root),
    }
}
