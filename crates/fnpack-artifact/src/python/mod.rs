//! Python sources, zips and wheels.
