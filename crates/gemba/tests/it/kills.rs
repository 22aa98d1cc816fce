//! Kills, cuts and full disks: nothing is lost.
