//! One recogniser called by many threads at the same time: how long they wait, and how much it does.
//!
//! Each caller asks for one sentence after another; then one asks for few sentences now and then beside another that
//! asks for many at once. Prints Markdown tables.
//!
//! `cargo bench -p nervio-benches --bench callers -- [MODEL [f32|f16|int8]]`: by default the embedded model;
//! `NERVIO_BENCH_TEXT` names a file with a sentence a line, `NERVIO_THREADS` says how many threads compute.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nervio::{Document, Dtype, Error, ModelSource, Recognizer};

/// How long each line of the first table takes, and half of what each two lines of the second do.
const TIME: Duration = Duration::from_secs(5);

/// Sentences of calls beside each other, few now and then and many at once.
const BESIDE: [(usize, usize); 3] = [(1, 400), (1, 2000), (50, 2000)];

/// Between two calls of the one that asks now and then.
const PAUSE: Duration = Duration::from_millis(100);

/// The variable that names a text of one's own.
const TEXT_FILE: &str = "NERVIO_BENCH_TEXT";

const TEXT: &str = "La multinacional española Telefónica anunció ayer en Madrid que su presidente, \
    César Alierta, viajará el lunes a São Paulo para reunirse con la ONU y con el gobierno de Brasil, \
    antes de volver a Barcelona, donde el Fútbol Club Barcelona recibe al Real Madrid.";

/// Times of calls, in milliseconds.
#[derive(Default)]
struct Times(Mutex<Vec<f64>>);

impl Times {
    fn measure(&self, call: impl FnOnce() -> Result<(), Error>) {
        let start = Instant::now();
        let result = call();
        let time = start.elapsed().as_secs_f64() * 1e3;
        match (result, self.0.lock()) {
            (Ok(()), Ok(mut times)) => times.push(time),
            (Err(error), _) => eprintln!("{error}"),
            (_, Err(error)) => eprintln!("{error}"),
        }
    }

    /// How many there are, the median, the 99th percentile and the longest.
    fn summary(self) -> (usize, [f64; 3]) {
        let mut times = self.0.into_inner().unwrap_or_default();
        times.sort_by(f64::total_cmp);
        let at = |part: usize| {
            let place = (times.len() * part / 100).min(times.len().saturating_sub(1));
            times.get(place).copied().unwrap_or(f64::NAN)
        };
        (times.len(), [50, 99, 100].map(at))
    }
}

fn main() {
    let sentences = match sentences() {
        Ok(sentences) => sentences,
        Err(error) => return eprintln!("skipped: {TEXT_FILE}: {error}"),
    };
    match recognizer() {
        Ok(recognizer) => {
            many_callers(&recognizer, &sentences);
            println!("\n| beside each other | calls | median, ms | 99 %, ms | longest, ms |");
            println!("| --- | --- | --- | --- | --- |");
            for (few, many) in BESIDE {
                beside_each_other(&recognizer, &sentences, few, many);
            }
        }
        Err(error) => eprintln!("skipped: {error}"),
    }
}

fn recognizer() -> Result<Recognizer, Error> {
    let mut arguments = std::env::args().skip(1).filter(|x| !x.starts_with('-'));
    let builder = match arguments.next() {
        Some(folder) => Recognizer::builder().model(ModelSource::Folder(folder.into())),
        None => Recognizer::builder(),
    };
    let dtype = match arguments.next().as_deref() {
        Some("f32") => Dtype::F32,
        Some("f16") => Dtype::F16,
        Some("int8") => Dtype::Int8,
        _ => Dtype::Auto,
    };
    builder.dtype(dtype).build()
}

/// The lines of the file, or sentences of 3 to 40 words.
fn sentences() -> std::io::Result<Vec<String>> {
    if let Ok(path) = std::env::var(TEXT_FILE) {
        return Ok(std::fs::read_to_string(path)?.lines().map(str::to_owned).collect());
    }
    let words: Vec<&str> = TEXT.split_whitespace().collect();
    let sentence = |i: usize| -> Vec<&str> {
        words.iter().cycle().skip(i).take(3 + i * 7 % 38).copied().collect()
    };
    Ok((0..997).map(|i| sentence(i).join(" ")).collect())
}

fn many_callers(recognizer: &Recognizer, sentences: &[String]) {
    println!("| callers | sentences a second | median, ms | 99 %, ms | longest, ms |");
    println!("| --- | --- | --- | --- | --- |");
    for callers in [1, 2, 4, 16, 64] {
        let (times, start) = (Times::default(), Instant::now());
        thread::scope(|scope| {
            for caller in 0..callers {
                let times = &times;
                scope.spawn(move || {
                    // Each its own way through the text.
                    let own = sentences.iter().cycle().skip(caller * 97).step_by(13);
                    for sentence in own.take_while(|_| start.elapsed() < TIME) {
                        times.measure(|| recognizer.recognize(sentence).map(|_| ()));
                    }
                });
            }
        });
        let seconds = start.elapsed().as_secs_f64();
        let (count, [median, late, longest]) = times.summary();
        let rate = count as f64 / seconds;
        println!("| {callers} | {rate:.0} | {median:.1} | {late:.1} | {longest:.1} |");
    }
}

fn beside_each_other(recognizer: &Recognizer, sentences: &[String], few: usize, many: usize) {
    let documents =
        |count| -> Vec<_> { sentences.iter().cycle().take(count).map(Document::new).collect() };
    let ask = |documents: &[Document]| {
        recognizer.recognize_batch(documents).into_iter().try_for_each(|result| result.map(|_| ()))
    };
    let (long, short, done) = (Times::default(), Times::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let documents = documents(many);
            while !done.load(Ordering::Relaxed) {
                long.measure(|| ask(&documents));
            }
        });
        let (documents, start) = (documents(few), Instant::now());
        while start.elapsed() < 2 * TIME {
            thread::sleep(PAUSE);
            short.measure(|| ask(&documents));
        }
        done.store(true, Ordering::Relaxed);
    });
    for (name, times) in [(format!("{few} now and then"), short), (format!("{many} at once"), long)]
    {
        let (count, [median, late, longest]) = times.summary();
        println!("| {name} | {count} | {median:.1} | {late:.1} | {longest:.1} |");
    }
}
