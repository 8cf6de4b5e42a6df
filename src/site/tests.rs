//! Whole builds.

use super::testing::House;

#[test]
fn a_site_with_an_episode_is_built_once() {
    let house = House::with_episode();
    assert_eq!(house.build().files_written, 12);
    let again = house.build();
    assert_eq!((again.files_hashed, again.files_written, again.files_unchanged), (0, 0, 12));
}
