//! A page's content to characters and where they stand.

use std::collections::HashMap;
use std::rc::Rc;

use std::cell::RefCell;

use lopdf::{Dictionary, Document, Object, ObjectId};

use super::font::Font;
use super::lexer::{Lexer, Operand};
use super::{Interrupted, MAX_STREAM_BYTES, Watch, number};

/// A character on a page, in points from the page's lower left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mark {
    pub(super) character: char,
    pub(super) left: f64,
    pub(super) right: f64,
    /// Where its line runs.
    pub(super) base: f64,
    /// The height of its font.
    pub(super) size: f64,
}

/// What a page holds.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) marks: Vec<Mark>,
    /// Codes that nobody can read: their font does not say which characters they are.
    pub(super) unreadable: usize,
    pub(super) images: usize,
}

/// Content within content, deeper than that, is not drawn.
const MAX_DEPTH: usize = 8;

/// States that are put aside; more are not.
const MAX_STATES: usize = 256;

/// A résumé's page has some thousand characters.
const MAX_MARKS: usize = 200_000;

#[derive(Debug, Clone, Copy)]
struct Matrix([f64; 6]);

impl Matrix {
    const IDENTITY: Self = Self([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);

    fn shift(x: f64, y: f64) -> Self {
        Self([1.0, 0.0, 0.0, 1.0, x, y])
    }

    /// Of six numbers.
    fn of(numbers: &[f64]) -> Option<Self> {
        numbers.try_into().ok().map(Self)
    }

    /// First this, then `then`.
    fn then(self, then: Self) -> Self {
        let (first, second) = (self.0, then.0);
        let along = |x: f64, y: f64| (x * second[0] + y * second[2], x * second[1] + y * second[3]);
        let (right, up, origin) =
            (along(first[0], first[1]), along(first[2], first[3]), along(first[4], first[5]));
        Self([right.0, right.1, up.0, up.1, origin.0 + second[4], origin.1 + second[5]])
    }
}

#[derive(Debug, Clone)]
struct State {
    place: Matrix,
    font: Option<Rc<RefCell<Font>>>,
    size: f64,
    character_space: f64,
    word_space: f64,
    stretch: f64,
    leading: f64,
    rise: f64,
}

/// Draws a page and notes the characters.
pub(super) struct Painter<'a> {
    document: &'a Document,
    watch: &'a Watch,
    page: Page,
    fonts: HashMap<*const Dictionary, Rc<RefCell<Font>>>,
}

impl<'a> Painter<'a> {
    pub(super) fn new(document: &'a Document, watch: &'a Watch) -> Self {
        Self { document, watch, page: Page::default(), fonts: HashMap::new() }
    }

    /// What stands on the page.
    pub(super) fn paint(&mut self, page: ObjectId) -> Result<Page, Interrupted> {
        let content = self.document.get_page_content_with_limit(page, MAX_STREAM_BYTES);
        let resources = self.resources(page);
        let place = self.upright(page);
        // A page whose content is too much has none; the others may do.
        self.run(&content.unwrap_or_default(), &resources, place, 0)?;
        Ok(std::mem::take(&mut self.page))
    }

    /// The page's resources, and those that it inherits.
    fn resources(&self, page: ObjectId) -> Vec<&'a Dictionary> {
        let Ok((own, others)) = self.document.get_page_resources(page) else { return Vec::new() };
        let others = others.into_iter().filter_map(|id| self.document.get_dictionary(id).ok());
        own.into_iter().chain(others).collect()
    }

    /// Turns a page that is shown turned.
    fn upright(&self, page: ObjectId) -> Matrix {
        let page = self.document.get_dictionary(page);
        let turn = page.and_then(|page| page.get_deref(b"Rotate", self.document));
        match turn.ok().and_then(number).map_or(0, |turn| (turn as i64).rem_euclid(360)) {
            90 => Matrix([0.0, -1.0, 1.0, 0.0, 0.0, 0.0]),
            180 => Matrix([-1.0, 0.0, 0.0, -1.0, 0.0, 0.0]),
            270 => Matrix([0.0, 1.0, -1.0, 0.0, 0.0, 0.0]),
            _ => Matrix::IDENTITY,
        }
    }

    fn run(
        &mut self,
        content: &[u8],
        resources: &[&'a Dictionary],
        place: Matrix,
        depth: usize,
    ) -> Result<(), Interrupted> {
        let mut state = State {
            place,
            font: None,
            size: 0.0,
            character_space: 0.0,
            word_space: 0.0,
            stretch: 1.0,
            leading: 0.0,
            rise: 0.0,
        };
        let mut states = Vec::new();
        let (mut text, mut line) = (Matrix::IDENTITY, Matrix::IDENTITY);
        let mut lexer = Lexer::new(content);
        while let Some((operator, operands)) = lexer.next_operation() {
            self.watch.look()?;
            let numbers: Vec<f64> = numbers(operands);
            match (operator, numbers.as_slice()) {
                (b"q", _) if states.len() < MAX_STATES => states.push(state.clone()),
                (b"Q", _) => state = states.pop().unwrap_or(state),
                (b"cm", six @ [_, _, _, _, _, _]) => {
                    state.place = Matrix::of(six).unwrap_or(Matrix::IDENTITY).then(state.place);
                }
                (b"BT", _) => (text, line) = (Matrix::IDENTITY, Matrix::IDENTITY),
                (b"Tm", six @ [_, _, _, _, _, _]) => {
                    line = Matrix::of(six).unwrap_or(line);
                    text = line;
                }
                (b"Td" | b"TD", [x, y]) => {
                    if operator == b"TD" {
                        state.leading = -y;
                    }
                    line = Matrix::shift(*x, *y).then(line);
                    text = line;
                }
                (b"T*", _) => {
                    line = Matrix::shift(0.0, -state.leading).then(line);
                    text = line;
                }
                (b"Tc", [space]) => state.character_space = *space,
                (b"Tw", [space]) => state.word_space = *space,
                (b"Tz", [percent]) => state.stretch = percent / 100.0,
                (b"TL", [leading]) => state.leading = *leading,
                (b"Ts", [rise]) => state.rise = *rise,
                (b"Tf", [size]) => {
                    state.size = *size;
                    state.font = first_name(operands).and_then(|name| self.font(resources, name));
                }
                (b"Tj" | b"TJ", _) => self.show(operands, &state, &mut text)?,
                (b"'" | b"\"", _) => {
                    if let (b"\"", [word, character]) = (operator, numbers.as_slice()) {
                        (state.word_space, state.character_space) = (*word, *character);
                    }
                    line = Matrix::shift(0.0, -state.leading).then(line);
                    text = line;
                    let shown = operands.iter().filter(|o| matches!(o, Operand::Text(_)));
                    let shown: Vec<_> = shown.cloned().collect();
                    self.show(&shown, &state, &mut text)?;
                }
                (b"BI", _) => self.page.images += 1,
                (b"Do", _) => {
                    if let Some(name) = first_name(operands) {
                        self.draw(resources, name, state.place, depth)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn font(&mut self, resources: &[&'a Dictionary], name: &[u8]) -> Option<Rc<RefCell<Font>>> {
        let (_, object) = self.resource(resources, b"Font", name)?;
        let font = object.as_dict().ok()?;
        let read = || Rc::new(RefCell::new(Font::read(self.document, font)));
        // The document stays where it is, and so do its dictionaries.
        Some(self.fonts.entry(std::ptr::from_ref(font)).or_insert_with(read).clone())
    }

    fn resource(
        &self,
        resources: &[&'a Dictionary],
        kind: &[u8],
        name: &[u8],
    ) -> Option<(Option<ObjectId>, &'a Object)> {
        resources.iter().find_map(|resources| {
            let all = resources.get_deref(kind, self.document).ok()?.as_dict().ok()?;
            self.document.dereference(all.get(name).ok()?).ok()
        })
    }

    /// Content of its own, with resources of its own; or an image.
    fn draw(
        &mut self,
        resources: &[&'a Dictionary],
        name: &[u8],
        place: Matrix,
        depth: usize,
    ) -> Result<(), Interrupted> {
        let Some((_, object)) = self.resource(resources, b"XObject", name) else { return Ok(()) };
        let Ok(form) = object.as_stream() else { return Ok(()) };
        let kind = form.dict.get(b"Subtype").and_then(Object::as_name);
        if kind.ok() != Some(b"Form".as_slice()) {
            self.page.images += 1;
            return Ok(());
        }
        if depth == MAX_DEPTH {
            return Ok(());
        }
        let matrix = form.dict.get_deref(b"Matrix", self.document).and_then(Object::as_array);
        let matrix: Option<Vec<f64>> = matrix.ok().and_then(|m| m.iter().map(number).collect());
        let matrix = matrix.and_then(|six| Matrix::of(&six)).unwrap_or(Matrix::IDENTITY);
        let own = form.dict.get_deref(b"Resources", self.document).and_then(Object::as_dict);
        let own: Vec<_> = own.into_iter().chain(resources.iter().copied().take(1)).collect();
        let content = form.get_plain_content_with_limit(MAX_STREAM_BYTES).unwrap_or_default();
        self.run(&content, &own, matrix.then(place), depth + 1)
    }

    fn show(
        &mut self,
        operands: &[Operand],
        state: &State,
        text: &mut Matrix,
    ) -> Result<(), Interrupted> {
        let Some(font) = &state.font else { return Ok(()) };
        let mut font = font.borrow_mut();
        for operand in operands {
            match operand {
                Operand::Number(back) => {
                    let shift = -back / 1_000.0 * state.size * state.stretch;
                    *text = Matrix::shift(shift, 0.0).then(*text);
                }
                Operand::Text(bytes) => {
                    for code in font.codes(bytes) {
                        self.watch.look()?;
                        let shape = font.shape(code);
                        let mut width = shape.width * state.size;
                        self.note(shape.text.as_deref(), width * state.stretch, state, *text);
                        width += state.character_space;
                        if shape.is_space {
                            width += state.word_space;
                        }
                        *text = Matrix::shift(width * state.stretch, 0.0).then(*text);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn note(&mut self, characters: Option<&str>, width: f64, state: &State, text: Matrix) {
        let Some(characters) = characters else {
            self.page.unreadable += 1;
            return;
        };
        let Matrix(place) = Matrix::shift(0.0, state.rise).then(text).then(state.place);
        // What runs up or down the margin is decoration.
        if place[1].abs() > place[0].abs() || self.page.marks.len() >= MAX_MARKS {
            return;
        }
        let (origin, base) = (place[4], place[5]);
        let size = state.size.abs() * place[2].hypot(place[3]);
        let count = characters.chars().count().max(1) as f64;
        let step = width * place[0] / count;
        for (index, character) in characters.chars().enumerate() {
            let start = origin + step * index as f64;
            let (left, right) = (start.min(start + step), start.max(start + step));
            if [left, right, base, size].iter().all(|n| n.is_finite()) && size > 0.0 {
                self.page.marks.push(Mark { character, left, right, base, size });
            }
        }
    }
}

fn first_name(operands: &[Operand]) -> Option<&[u8]> {
    operands.iter().find_map(|operand| match operand {
        Operand::Name(name) => Some(name.as_slice()),
        _ => None,
    })
}

/// The numbers among the operands; of a long list, which is text, none.
fn numbers(operands: &[Operand]) -> Vec<f64> {
    if operands.len() > 7 {
        return Vec::new();
    }
    let number = |operand: &Operand| match operand {
        Operand::Number(number) => Some(*number),
        _ => None,
    };
    operands.iter().filter_map(number).collect()
}
