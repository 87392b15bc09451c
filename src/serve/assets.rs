//! Files and pages, with everything a cache wants to know. (Being written.)
