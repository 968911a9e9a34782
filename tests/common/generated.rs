//! Texts that models make, by themselves or together.

use azulejo::Result;
use azulejo::device::Device;
use azulejo::model::{Generation, Home, Model, Scheduler, Session, Step};

/// A generation to its end, in a session; `told` hears of each step.
pub async fn finished<D: Device>(
    model: &mut Model<D>,
    session: &mut Session,
    generation: Generation,
    mut told: impl FnMut(Step),
) -> Result<Generation> {
    let home = Home::new(std::mem::replace(session, model.session()));
    let mut scheduler = Scheduler::default();
    let id = scheduler.begin(model, &home, generation)?;
    let mut result = Ok(());
    loop {
        match scheduler.event(id) {
            Some(Ok(Step::Over)) => break,
            Some(Ok(step)) => told(step),
            Some(Err(error)) => {
                result = Err(error);
                break;
            }
            None => assert!(scheduler.step(model).await, "it waits for nothing"),
        }
    }
    let generation = scheduler.end(id).expect("it was there");
    *session = home.take().expect("it is home again");
    result.map(|()| generation)
}
