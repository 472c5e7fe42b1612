#![allow(clippy::unwrap_used)]
use super::*;
use icehost_plan::Collation;

fn column(name: &str, fold: Fold) -> ShapeColumn {
    ShapeColumn {
        name: name.to_owned(),
        padding: Padding::None,
        fold,
        certain: None,
    }
}

fn of(collation: &str) -> Fold {
    Fold::of(Some(&Collation::from_name(collation)))
}

fn texts(fold: Fold, values: &[&str]) -> Vec<Hashed> {
    let shape = Shape {
        columns: vec![column("Code", fold)],
        key: vec![0],
    };
    let array: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
    shape.hash(&[array]).unwrap()
}

#[test]
fn numbers_are_numbers_whatever_holds_them() {
    let int: ArrayRef = Arc::new(Int32Array::from(vec![150]));
    let long: ArrayRef = Arc::new(Int64Array::from(vec![150]));
    let decimal = |unscaled: i128, precision: u8, scale: i8| -> ArrayRef {
        let values = Decimal128Array::from(vec![unscaled]);
        Arc::new(values.with_precision_and_scale(precision, scale).unwrap())
    };
    let bytes = |array: &ArrayRef| cell_bytes(array, 0).unwrap();
    assert_eq!(bytes(&int), bytes(&long));
    assert_eq!(bytes(&int), bytes(&decimal(15000, 9, 2)));
    assert_eq!(bytes(&decimal(15, 3, 1)), bytes(&decimal(150_000, 9, 5)));
    assert_ne!(bytes(&decimal(15, 3, 1)), bytes(&decimal(15, 3, 2)));
    assert_ne!(bytes(&int), bytes(&decimal(-15000, 9, 2)));
    let narrow: ArrayRef = Arc::new(Float32Array::from(vec![1.5]));
    let wide: ArrayRef = Arc::new(Float64Array::from(vec![1.5]));
    assert_eq!(bytes(&narrow), bytes(&wide));
}

#[test]
fn values_of_a_plan_are_the_same_as_those_of_rows() {
    let cases: Vec<(Value, ArrayRef)> = vec![
        (
            Value::Boolean(true),
            Arc::new(BooleanArray::from(vec![true])),
        ),
        (Value::Integer(1), Arc::new(BooleanArray::from(vec![true]))),
        (Value::Integer(7), Arc::new(Int32Array::from(vec![7]))),
        (Value::Null, Arc::new(Int32Array::from(vec![None]))),
        (
            Value::Text("a".to_owned()),
            Arc::new(StringArray::from(vec!["a"])),
        ),
        (Value::Date(3), Arc::new(Date32Array::from(vec![3]))),
        (
            Value::Timestamp(-15),
            Arc::new(TimestampMicrosecondArray::from(vec![-2])),
        ),
        (
            Value::Time(20),
            Arc::new(Time64MicrosecondArray::from(vec![2])),
        ),
        (
            Value::Uuid([5; 16]),
            Arc::new(FixedSizeBinaryArray::try_from_iter([[5u8; 16]].iter()).unwrap()),
        ),
    ];
    for (value, array) in cases {
        let constant = constant(&value, 2);
        assert_eq!(cell_bytes(&constant, 1), cell_bytes(&array, 0), "{value}");
        assert_eq!(constant.len(), 2, "{value}");
    }
}

#[test]
fn no_value_runs_into_the_next() {
    let shape = Shape {
        columns: vec![column("A", Fold::default()), column("B", Fold::default())],
        key: Vec::new(),
    };
    let hash = |a: Option<&str>, b: Option<&str>| {
        let array = |text| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
        shape.hash(&[array(a), array(b)]).unwrap()[0].row
    };
    let rows = [
        hash(Some("ab"), Some("c")),
        hash(Some("a"), Some("bc")),
        hash(Some("abc"), Some("")),
        hash(Some("abc"), None),
        hash(None, Some("abc")),
        hash(None, None),
        hash(Some(""), Some("")),
    ];
    for (i, row) in rows.iter().enumerate() {
        assert!(!rows[..i].contains(row), "{i}");
    }
}

#[test]
fn keys_that_may_be_one_come_together_and_stay_different_rows() {
    let hashed = texts(
        of("Latin1_General_CI_AS"),
        &["abc", "ABC", "abc ", "abd", "Éa", "éA"],
    );
    assert_eq!(hashed[0].group, hashed[1].group);
    assert_eq!(hashed[0].group, hashed[2].group);
    assert_ne!(hashed[0].group, hashed[3].group);
    assert_eq!(hashed[4].group, hashed[5].group);
    let rows: Vec<Hash> = hashed.iter().map(|hashed| hashed.row).collect();
    for (i, row) in rows.iter().enumerate() {
        assert!(!rows[..i].contains(row), "{i}");
    }
    assert_ne!(hashed[0].spelling, hashed[1].spelling);
    let exact = texts(Fold::default(), &["abc", "ABC", "abc "]);
    assert_ne!(exact[0].group, exact[1].group);
    assert_eq!(exact[0].group, exact[2].group);
}

#[test]
fn padding_is_no_difference_where_the_type_pads() {
    let shape = |padding| Shape {
        columns: vec![ShapeColumn {
            name: "A".to_owned(),
            padding,
            fold: Fold::default(),
            certain: None,
        }],
        key: Vec::new(),
    };
    let array: ArrayRef = Arc::new(StringArray::from(vec!["ab", "ab   ", " ab"]));
    let padded = shape(Padding::of(SqlType::Char(5)))
        .hash(&[Arc::clone(&array)])
        .unwrap();
    assert_eq!(padded[0].row, padded[1].row);
    assert_ne!(padded[0].row, padded[2].row);
    let kept = shape(Padding::None).hash(&[array]).unwrap();
    assert_ne!(kept[0].row, kept[1].row);
}
